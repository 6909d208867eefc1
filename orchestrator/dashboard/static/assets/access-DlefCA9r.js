import{a as m,L as b,g as k,e as f,A as h,N as i,b as o,u as c,v as p,C as u,y as w,s as y,i as g,r as $,c as x}from"./index-DRkjX7RG.js";import{E}from"./every-dSeuuQNj.js";var C=Object.defineProperty,R=Object.getOwnPropertyDescriptor,v=(a,t,e,r)=>{for(var s=r>1?void 0:r?R(t,e):t,l=a.length-1,d;l>=0;l--)(d=a[l])&&(s=(r?d(t,e,s):d(s))||s);return r&&s&&C(t,e,s),s};const _=4e3,T=[["viewer","viewer: looks"],["operator","operator: acts on the plant"],["admin","admin: changes who may do what, and the cluster"],["component","component: reports for itself"],["processor","processor: works for itself"]],j=[["86400","1 day"],["2592000","30 days"],["7776000","90 days"],["31536000","1 year"],["","without an end"]];let n=class extends m{constructor(){super(...arguments),this.made=null,this.live=new b(this,["session"]),this.tokens=new E(this,_,a=>k("/v1/tokens",void 0,{signal:a})),this.off=null}connectedCallback(){super.connectedCallback(),this.off=f.on(["tokens"],()=>void this.tokens.now())}disconnectedCallback(){super.disconnectedCallback(),this.off?.()}render(){return o`<div class="stack">
      <div class="row between">
        <h1>Access</h1>
        <tri-action path="/v1/tokens" kind="primary" .run=${()=>this.create()}>Create a token</tri-action>
      </div>
      ${this.made?o`<section class="secret" role="alert" aria-labelledby="h-made">
            <h2 id="h-made">The token ${this.made.name}</h2>
            <p class="small">It is shown this one time: keep it now. The nodes have only its digest.</p>
            <code data-secret>${this.made.token}</code>
            <div class="row"><button @click=${()=>void this.copy()}>Copy</button><button @click=${()=>this.made=null}>I have kept it</button></div>
          </section>`:h}
      <tri-error .error=${this.tokens.error}></tri-error>
      <section class="card flush">${this.tokens.value?this.table(this.tokens.value):o`<tri-loading what="tokens"></tri-loading>`}</section>
      <p class="muted small">You are ${i.who?.name||i.who?.id} (${i.who?.kind}), role ${i.who?.role}.</p>
    </div>`}table(a){return o`<tri-table searchable label="Tokens" sort="name" empty="There is no token yet" .columns=${[{key:"name",label:"Name",value:e=>e.name},{key:"role",label:"Role",width:"120px",value:e=>e.role,cell:e=>o`<tri-badge state=${e.role} tone=${e.role==="admin"?"warn":"idle"}></tri-badge>`},{key:"subject",label:"For",extra:!0,value:e=>e.subject},{key:"id",label:"Id",width:"130px",extra:!0,value:e=>e.id,cell:e=>o`<span class="mono">${e.id}</span>`},{key:"created",label:"Created",width:"170px",extra:!0,value:e=>e.created,cell:e=>o`<tri-time absolute .value=${e.created}></tri-time>`},{key:"expires",label:"Expires",width:"180px",value:e=>e.expires,cell:e=>e.revoked!==null?o`<tri-badge state="REVOKED" label="revoked"></tri-badge>`:e.expires===null?o`<span class="muted">never</span>`:o`<tri-time .value=${e.expires}></tri-time>`},{key:"act",label:"",width:"170px",sortable:!1,value:()=>null,cell:e=>e.revoked!==null?h:o`<span class="row">
          <tri-action compact path="/v1/tokens/{token_id}/rotate" label="Rotate ${e.name}" .run=${()=>this.rotate(e)}>Rotate</tri-action>
          <tri-action compact method="DELETE" path="/v1/tokens/{token_id}" kind="danger" label="Revoke ${e.name}" .run=${()=>this.revoke(e)}>Revoke</tri-action>
        </span>`}]} .rows=${a}></tri-table>`}async create(){let a=null;await c({heading:"Create a token",action:"Create",fields:o`<div class="field"><label for="name">Name</label><input id="name" name="name" required maxlength="100" autocomplete="off" placeholder="ada" /></div>
        <div class="field"><label for="role">Role</label><select id="role" name="role">${T.map(([t,e])=>o`<option value=${t}>${e}</option>`)}</select></div>
        <div class="field"><label for="subject">Component or processor <span class="hint">for those two roles</span></label><input id="subject" name="subject" maxlength="64" autocomplete="off" /></div>
        <div class="field"><label for="expires">Expires in</label><select id="expires" name="expires">${j.map(([t,e])=>o`<option value=${t} .selected=${t==="7776000"}>${e}</option>`)}</select></div>`,run:async t=>{a=await u("/v1/tokens",{name:t.name,role:t.role,...t.subject?{subject:t.subject}:{},...t.expires?{expires_in_s:Number(t.expires)}:{}})}}),a&&(this.made=a),this.tokens.now()}async rotate(a){let t=null;await c({heading:`Rotate ${a.name}?`,text:"A new text is made. The old one goes on for a while, so that whoever uses it can change over.",action:"Rotate",fields:o`<div class="field"><label for="grace">The old one goes on for</label><select id="grace" name="grace"><option value="0">not at all</option><option value="300" selected>5 minutes</option><option value="3600">1 hour</option><option value="86400">1 day</option></select></div>`,run:async e=>{const r=await u(`/v1/tokens/${a.id}/rotate`,{grace_s:Number(e.grace)});t={name:a.name,token:r.token}}}),t&&(this.made=t),this.tokens.now()}async revoke(a){const t=a.id===i.who?.id;await c({heading:`Revoke ${a.name}?`,text:t?o`<strong>It is the token that you are signed in with.</strong> Every node refuses it at once.`:"Every node refuses it at once, and for good.",action:"Revoke",danger:!0,run:()=>w(`/v1/tokens/${a.id}`)})&&p(`${a.name}: revoked`),this.tokens.now()}async copy(){if(this.made)try{await navigator.clipboard.writeText(this.made.token),p("Copied")}catch{p("The browser does not allow copying here: mark the text and copy it yourself",!0)}}};n.styles=[y,g`
      .secret {
        display: grid;
        gap: var(--space-3);
        padding: var(--space-4);
        border: 1px solid var(--warn);
        border-radius: var(--radius);
        background: var(--warn-soft);
      }
      .secret code {
        padding: var(--space-2) var(--space-3);
        border-radius: var(--radius-s);
        background: var(--surface);
        overflow-wrap: anywhere;
        user-select: all;
      }
    `];v([$()],n.prototype,"made",2);n=v([x("page-access")],n);export{n as Access};
