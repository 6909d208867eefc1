import{a as v,L as $,e as h,g as b,z as y,A as c,b as i,f as g,m as k,s as w,i as x,n as j,r as l,c as O}from"./index-DRkjX7RG.js";var S=Object.defineProperty,A=Object.getOwnPropertyDescriptor,o=(t,e,n,r)=>{for(var s=r>1?void 0:r?A(e,n):e,d=t.length-1,u;d>=0;d--)(u=t[d])&&(s=(r?u(e,n,s):u(s))||s);return r&&s&&S(e,n,s),s};const f=100,N=2e3,_=400;let a=class extends v{constructor(){super(...arguments),this.query=new URLSearchParams,this.entries=[],this.cursor=null,this.head=null,this.error=null,this.chosen=null,this.loaded=!1,this.filters={actor:"",kind:"",subject:""},this.index=0,this.soon=null,this.off=null,this.live=new $(this,["session"])}connectedCallback(){super.connectedCallback(),this.filters=this.asked(),this.off=h.on(["figures","components","alerts","tokens"],()=>{h.link.index!==this.index&&this.later()}),this.load()}disconnectedCallback(){super.disconnectedCallback(),this.off?.(),this.soon!==null&&clearTimeout(this.soon)}willUpdate(t){t.has("query")&&JSON.stringify(this.asked())!==JSON.stringify(this.filters)&&this.show(this.asked()),this.chosen!==null&&!this.entries.some(e=>e.number===this.chosen)&&(this.chosen=null)}asked(){const{query:t}=this;return{actor:t.get("actor")??"",kind:t.get("kind")??"",subject:t.get("subject")??""}}show(t){this.filters=t,this.entries=[],this.cursor=null,this.loaded=!1,this.load()}later(){this.soon??=setTimeout(()=>{this.soon=null,this.load()},_)}async load(t=!1){this.index=h.link.index;try{const e={...this.filters},n=await b("/v1/audit",{...e,limit:f,cursor:t?this.cursor:null});if(JSON.stringify(e)!==JSON.stringify(this.filters))return;const r=new Map(this.entries.map(s=>[s.number,s]));(t||r.size<=f)&&(this.cursor=n.cursor),n.entries.forEach(s=>r.set(s.number,s)),this.entries=[...r.values()].sort((s,d)=>d.number-s.number).slice(0,N),this.head=await b("/v1/audit/head"),this.error=null}catch(e){this.error=e}this.loaded=!0}filter(t){t.preventDefault();const e=new FormData(t.currentTarget);this.show({actor:String(e.get("actor")??"").trim(),kind:String(e.get("kind")??"").trim(),subject:String(e.get("subject")??"")}),y({...this.filters})}render(){return i`<div class="stack">
      <div class="row between"><h1>Audit</h1>${this.chain()}</div>
      <form @submit=${this.filter} aria-label="Filter">
        <div class="field"><label for="actor">Who</label><input id="actor" name="actor" .value=${this.filters.actor} maxlength="100" /></div>
        <div class="field"><label for="kind">Kind of change</label><input id="kind" name="kind" placeholder="component.register" .value=${this.filters.kind} maxlength="100" /></div>
        <div class="field"><label for="subject">Subject</label><select id="subject" name="subject">
          <option value="" .selected=${this.filters.subject===""}>All</option>
          ${["cluster","components","groups","policies","playbooks","executions","processors","variables","alerts","silences","alert_rules","tokens"].map(t=>i`<option .selected=${t===this.filters.subject}>${t}</option>`)}
        </select></div>
        <button type="submit">Show</button>
      </form>
      <tri-error .error=${this.error} .retry=${()=>void this.load()}></tri-error>
      <section class="card flush">
        ${this.loaded?this.table():i`<tri-loading what="entries"></tri-loading>`}
        ${this.cursor?i`<div class="more"><button @click=${()=>void this.load(!0)}>Older entries</button></div>`:c}
      </section>
      ${this.detail()}
    </div>`}chain(){if(!this.head)return c;const e=!this.filters.actor&&!this.filters.kind&&!this.filters.subject?C(this.entries):null;return i`<div class="row small">
      <tri-badge state=${e===null?"INTACT":"FAILED"} label=${e===null?"links hold":`broken at ${e}`}></tri-badge>
      <span class="muted num" title=${this.head.hash}>${g(this.head.number)} entries, newest <span class="mono">${this.head.hash.slice(0,12)}</span></span>
    </div>`}table(){return i`<tri-table searchable label="Audit entries" sort="-number" empty="No entry fits" .columns=${[{key:"number",label:"No.",width:"76px",numeric:!0,value:e=>e.number,cell:e=>i`<button class="plain" aria-expanded=${this.chosen===e.number} aria-label="Entry ${e.number}" @click=${()=>this.chosen=this.chosen===e.number?null:e.number}>${e.number}</button>`},{key:"time",label:"Time",width:"170px",value:e=>e.time,cell:e=>i`${k(e.time)}`},{key:"actor",label:"Who",width:"170px",value:e=>p(e)},{key:"kind",label:"Change",value:e=>e.kind},{key:"subject",label:"Of",value:e=>`${e.subject} ${e.id}`,extra:!0},{key:"outcome",label:"Outcome",width:"130px",value:e=>e.outcome,cell:e=>i`<tri-badge state=${e.outcome} tone=${e.outcome==="done"?"ok":"warn"}></tri-badge>`},{key:"from",label:"From",width:"130px",extra:!0,value:e=>e.actor?.address??null}]} .rows=${this.entries} .rowKey=${e=>String(e.number)}></tri-table>`}detail(){const t=this.entries.find(e=>e.number===this.chosen);return t?i`<section class="card" aria-labelledby="h-entry">
      <header><h2 id="h-entry">Entry ${t.number}</h2><button class="plain" @click=${()=>this.chosen=null}>Close</button></header>
      <div class="stack">
        <dl class="facts">
          <dt>Who</dt><dd>${p(t)} ${t.actor?.id?i`<span class="muted">${t.actor.kind} ${t.actor.id}, ${t.actor.role??""}</span>`:c}</dd>
          <dt>From</dt><dd>${t.actor?.address||"–"}${t.actor?.node?` by way of ${t.actor.node}`:""}</dd>
          <dt>Epoch, index</dt><dd>${t.epoch??"–"}, ${t.index}</dd>
          <dt>Hash</dt><dd class="mono">${t.hash}</dd>
          <dt>Previous</dt><dd class="mono">${t.previous}</dd>
        </dl>
        <div class="grid">
          <div><h3>Before</h3><pre tabindex="0" aria-label="Before">${m(t.before)}</pre></div>
          <div><h3>After</h3><pre tabindex="0" aria-label="After">${m(t.after)}</pre></div>
        </div>
      </div>
    </section>`:c}};a.styles=[w,x`
      form {
        display: flex;
        flex-wrap: wrap;
        gap: var(--space-2) var(--space-3);
        align-items: end;
      }
      pre {
        max-height: 320px;
        padding: var(--space-3);
        overflow: auto;
        border-radius: var(--radius-s);
        background: var(--surface-2);
        font: 12px/1.5 var(--mono);
        white-space: pre-wrap;
        overflow-wrap: anywhere;
        margin: 0;
      }
      .more {
        display: flex;
        justify-content: center;
        padding: var(--space-3);
      }
    `];o([j({attribute:!1})],a.prototype,"query",2);o([l()],a.prototype,"entries",2);o([l()],a.prototype,"cursor",2);o([l()],a.prototype,"head",2);o([l()],a.prototype,"error",2);o([l()],a.prototype,"chosen",2);o([l()],a.prototype,"loaded",2);o([l()],a.prototype,"filters",2);a=o([O("page-audit")],a);function p(t){return t.actor?.name||t.actor?.id||"the cluster itself"}function m(t){return t==null?"–":JSON.stringify(t,null,2)}function C(t){for(let e=0;e+1<t.length;e+=1){const n=t[e],r=t[e+1];if(n.number===r.number+1&&n.previous!==r.hash)return n.number}return null}export{a as Audit};
