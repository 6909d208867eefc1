import{i as m,L as v,A as b,F as i,b as t,s as k,a as c,t as p,c as u,r as f,k as y,l as w,o as $,q as g}from"./index-BuULAYRH.js";var x=Object.defineProperty,R=Object.getOwnPropertyDescriptor,h=(a,e,o,r)=>{for(var s=r>1?void 0:r?R(e,o):e,l=a.length-1,d;l>=0;l--)(d=a[l])&&(s=(r?d(e,o,s):d(s))||s);return r&&s&&x(e,o,s),s};const _=[["viewer","viewer: looks"],["operator","operator: acts on the plant"],["admin","admin: changes who may do what, and the cluster"],["component","component: reports for itself"],["processor","processor: works for itself"]],j=[["86400","1 day"],["2592000","30 days"],["7776000","90 days"],["31536000","1 year"],["","without an end"]];let n=class extends m{constructor(){super(...arguments),this.made=null,this.live=new v(this,["tokens","session"])}render(){return t`<div class="stack">
      <div class="row between">
        <h1>Access</h1>
        <tri-action path="/v1/tokens" kind="primary" .run=${()=>this.create()}>Create a token</tri-action>
      </div>
      ${this.made?t`<section class="secret" role="alert" aria-labelledby="h-made">
            <h2 id="h-made">The token ${this.made.name}</h2>
            <p class="small">It is shown this one time: keep it now. The nodes have only its digest.</p>
            <code data-secret>${this.made.token}</code>
            <div class="row"><button @click=${()=>void this.copy()}>Copy</button><button @click=${()=>this.made=null}>I have kept it</button></div>
          </section>`:b}
      <section class="card flush">${this.table()}</section>
      <p class="muted small">You are ${i.who?.name||i.who?.id} (${i.who?.kind}), role ${i.who?.role}.</p>
    </div>`}table(){return t`<tri-table searchable label="Tokens" sort="name" empty="There is no token yet" .columns=${[{key:"name",label:"Name",value:e=>e.name},{key:"role",label:"Role",width:"120px",value:e=>e.role,cell:e=>t`<tri-badge state=${e.role} tone=${e.role==="admin"?"warn":"idle"}></tri-badge>`},{key:"subject",label:"For",extra:!0,value:e=>e.subject},{key:"id",label:"Id",width:"130px",extra:!0,value:e=>e.id,cell:e=>t`<span class="mono">${e.id}</span>`},{key:"created",label:"Created",width:"170px",extra:!0,value:e=>e.created,cell:e=>t`<tri-time absolute .value=${e.created}></tri-time>`},{key:"expires",label:"Expires",width:"180px",value:e=>e.expires,cell:e=>e.expires===null?t`<span class="muted">never</span>`:t`<tri-time .value=${e.expires}></tri-time>`},{key:"act",label:"",width:"170px",sortable:!1,value:()=>null,cell:e=>t`<span class="row">
          <tri-action path="/v1/tokens/{token_id}/rotate" label="Rotate ${e.name}" .run=${()=>this.rotate(e)}>Rotate</tri-action>
          <tri-action method="DELETE" path="/v1/tokens/{token_id}" kind="danger" label="Revoke ${e.name}" .run=${()=>this.revoke(e)}>Revoke</tri-action>
        </span>`}]} .rows=${k.list("tokens")}></tri-table>`}async create(){let a=null;await c({heading:"Create a token",action:"Create",fields:t`<div class="field"><label for="name">Name</label><input id="name" name="name" required maxlength="100" autocomplete="off" placeholder="ada" /></div>
        <div class="field"><label for="role">Role</label><select id="role" name="role">${_.map(([e,o])=>t`<option value=${e}>${o}</option>`)}</select></div>
        <div class="field"><label for="subject">Component or processor <span class="hint">for those two roles</span></label><input id="subject" name="subject" maxlength="64" autocomplete="off" /></div>
        <div class="field"><label for="expires">Expires in</label><select id="expires" name="expires">${j.map(([e,o])=>t`<option value=${e} ?selected=${e==="7776000"}>${o}</option>`)}</select></div>`,run:async e=>{a=await u("/v1/tokens",{name:e.name,role:e.role,...e.subject?{subject:e.subject}:{},...e.expires?{expires_in_s:Number(e.expires)}:{}})}}),a&&(this.made=a)}async rotate(a){let e=null;await c({heading:`Rotate ${a.name}?`,text:"A new text is made. The old one goes on for a while, so that whoever uses it can change over.",action:"Rotate",fields:t`<div class="field"><label for="grace">The old one goes on for</label><select id="grace" name="grace"><option value="0">not at all</option><option value="300" selected>5 minutes</option><option value="3600">1 hour</option><option value="86400">1 day</option></select></div>`,run:async o=>{const r=await u(`/v1/tokens/${a.id}/rotate`,{grace_s:Number(o.grace)});e={name:a.name,token:r.token}}}),e&&(this.made=e)}async revoke(a){const e=a.id===i.who?.id;await c({heading:`Revoke ${a.name}?`,text:e?t`<strong>It is the token that you are signed in with.</strong> Every node refuses it at once.`:"Every node refuses it at once, and for good.",action:"Revoke",danger:!0,run:()=>f(`/v1/tokens/${a.id}`)})&&p(`${a.name}: revoked`)}async copy(){if(this.made)try{await navigator.clipboard.writeText(this.made.token),p("Copied")}catch{p("The browser does not allow copying here: mark the text and copy it yourself",!0)}}};n.styles=[y,w`
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
    `];h([$()],n.prototype,"made",2);n=h([g("page-access")],n);export{n as Access};
