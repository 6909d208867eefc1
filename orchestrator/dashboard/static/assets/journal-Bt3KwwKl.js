import{a as w,L as g,I as c,g as S,P as E,z as A,S as h,T as _,A as p,f as L,U as P,b as l,m as f,k as $,s as O,i as T,n as C,r as m,c as k}from"./index-DRkjX7RG.js";import{E as D}from"./every-dSeuuQNj.js";var W=Object.defineProperty,j=Object.getOwnPropertyDescriptor,u=(s,t,e,n)=>{for(var i=n>1?void 0:n?j(t,e):t,a=s.length-1,r;a>=0;a--)(r=s[a])&&(i=(n?r(t,e,i):r(i))||i);return n&&i&&W(t,e,i),i};const M=200,R=1e3,U=10,q=4,b=["source","level","about","text"],v={supervision:"Supervision",trigger:"Triggers",execution:"Executions",step:"Steps",alert:"Alerts",leadership:"Leadership",component:"Faults and silence",event:"Events"};let d=class extends w{constructor(){super(...arguments),this.query=new URLSearchParams,this.wanted={source:"",level:"",about:"",text:""},this.chosen="",this.live=new g(this,["policies","alerts","executions","journal","cluster","components"],M),this.stepped=new D(this,R,s=>this.steps(s))}willUpdate(s){if(!s.has("query"))return;const t=Object.fromEntries(b.map(e=>[e,this.query.get(e)??""]));b.some(e=>t[e]!==this.wanted[e])&&(this.wanted=t)}async steps(s){for(const t of c.unstepped(U,q))try{c.steps(await S(`/v1/executions/${encodeURIComponent(t.id)}`,void 0,{signal:s}))}catch(e){if(!(e instanceof E&&e.status===404))throw e;c.stepless(t)}}set(s){const t=s.target;this.wanted={...this.wanted,[t.name]:t.value},A(this.wanted)}rows(){const{source:s,level:t,about:e,text:n}=this.wanted,i=h.findIndex(o=>o===t),a=n.toLowerCase().split(/\s+/).filter(Boolean),r=e.trim().toLowerCase();return c.list().filter(o=>{if(s&&o.source!==s||h.indexOf(o.level)<i||r&&!o.about.toLowerCase().includes(r))return!1;const y=`${o.source} ${o.about} ${o.what} ${o.why} ${o.execution}`.toLowerCase();return a.every(x=>y.includes(x))})}render(){const{source:s,level:t,about:e,text:n}=this.wanted,i=this.rows();return l`<div class="stack">
      <div class="row between"><h1>Journal</h1><span class="muted small num" role="status">${L(i.length)} shown</span></div>
      <p class="muted small">What the plant decided by itself, and why. The newest ${_} of each kind are kept; who changed what is in the <a href="#/audit">audit</a>.</p>
      <form @input=${this.set} @submit=${a=>a.preventDefault()} aria-label="Filter" role="search">
        <div class="field"><label for="source">Decided by</label><select id="source" name="source">
          <option value="" .selected=${s===""}>All</option>
          ${P.map(a=>l`<option value=${a} .selected=${a===s}>${v[a]}</option>`)}
        </select></div>
        <div class="field"><label for="level">Level</label><select id="level" name="level">
          <option value="" .selected=${t===""}>All</option>
          ${h.slice(1).map(a=>l`<option value=${a} .selected=${a===t}>${a}${a==="critical"?"":" or worse"}</option>`)}
        </select></div>
        <div class="field"><label for="about">About</label><input id="about" name="about" placeholder="press-1" maxlength="100" autocomplete="off" .value=${e} /></div>
        <div class="field"><label for="text">Text</label><input id="text" name="text" type="search" maxlength="100" autocomplete="off" .value=${n} /></div>
      </form>
      ${this.stepped.error?l`<tri-error .error=${this.stepped.error} .retry=${()=>void this.stepped.now()}></tri-error>`:p}
      <section class="card flush">${this.table(i)}</section>
      ${this.detail(i)}
    </div>`}table(s){return l`<tri-table label="Decisions" empty="Nothing was decided yet" .columns=${[{key:"time",label:"Time",width:"104px",value:e=>e.at,cell:e=>l`<button class="plain num" aria-expanded=${this.chosen===e.id} aria-label="Entry of ${f(e.at/1e3)}: ${e.about} ${e.what}" @click=${()=>this.chosen=this.chosen===e.id?"":e.id}>${f(e.at/1e3)}</button>`},{key:"source",label:"By",width:"130px",value:e=>e.source,cell:e=>l`<tri-badge state=${e.level} label=${e.source} title=${e.level}></tri-badge>`},{key:"about",label:"About",width:"140px",extra:!0,value:e=>e.about,cell:e=>e.href?l`<a href=${e.href}>${e.about}</a>`:e.about},{key:"what",label:"Decision",width:"28%",value:e=>e.what,cell:e=>e.execution?l`<a href=${$("executions",e.execution)} title=${e.what}>${e.what}</a>`:l`<span title=${e.what}>${e.what}</span>`},{key:"why",label:"Why",extra:!0,value:e=>e.why,cell:e=>l`<span title=${e.why}>${e.why||"–"}</span>`}]} .rows=${s}></tri-table>`}detail(s){const t=s.find(e=>e.id===this.chosen);return t?l`<section class="card" aria-labelledby="h-entry">
      <header><h2 id="h-entry">${t.what}</h2><button class="plain" @click=${()=>this.chosen=""}>Close</button></header>
      <dl class="facts">
        <dt>When</dt><dd>${f(t.at/1e3)}, <tri-time .value=${t.at/1e3}></tri-time></dd>
        <dt>By</dt><dd>${v[t.source]}, ${t.level}</dd>
        <dt>About</dt><dd>${t.href?l`<a href=${t.href}>${t.about}</a>`:t.about||"–"}</dd>
        <dt>Why</dt><dd>${t.why||"–"}</dd>
        ${t.execution?l`<dt>Execution</dt><dd><a href=${$("executions",t.execution)}>${t.execution}</a></dd>`:p}
      </dl>
    </section>`:p}};d.styles=[O,T`
      form {
        display: flex;
        flex-wrap: wrap;
        gap: var(--space-2) var(--space-3);
        align-items: end;
      }
      p a {
        text-decoration: underline;
      }
      input {
        width: 180px;
        max-width: 100%;
      }
    `];u([C({attribute:!1})],d.prototype,"query",2);u([m()],d.prototype,"wanted",2);u([m()],d.prototype,"chosen",2);d=u([k("page-journal")],d);export{d as Journal};
