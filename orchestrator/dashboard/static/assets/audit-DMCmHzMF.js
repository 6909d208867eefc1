import{i as v,L as $,s as y,g as b,u as g,A as c,b as i,C as k,E as x,k as w,l as j,m as O,o as l,q as S}from"./index-BuULAYRH.js";var A=Object.defineProperty,_=Object.getOwnPropertyDescriptor,n=(e,t,o,r)=>{for(var s=r>1?void 0:r?_(t,o):t,d=e.length-1,u;d>=0;d--)(u=e[d])&&(s=(r?u(t,o,s):u(s))||s);return r&&s&&A(t,o,s),s};const p=100,C=2e3,E=400;let a=class extends v{constructor(){super(...arguments),this.query=new URLSearchParams,this.entries=[],this.cursor=null,this.head=null,this.error=null,this.chosen=null,this.loaded=!1,this.filters={actor:"",kind:"",subject:""},this.soon=null,this.off=null,this.live=new $(this,["session"])}connectedCallback(){super.connectedCallback();for(const e of["actor","kind","subject"])this.filters[e]=this.query.get(e)??"";this.off=y.on(["audit"],()=>this.later()),this.load()}disconnectedCallback(){super.disconnectedCallback(),this.off?.(),this.soon!==null&&clearTimeout(this.soon)}willUpdate(e){this.chosen!==null&&!this.entries.some(t=>t.number===this.chosen)&&(this.chosen=null)}later(){this.soon??=setTimeout(()=>{this.soon=null,this.load()},E)}async load(e=!1){try{const t={...this.filters},o=await b("/v1/audit",{...t,limit:p,cursor:e?this.cursor:null});if(JSON.stringify(t)!==JSON.stringify(this.filters))return;const r=new Map(this.entries.map(s=>[s.number,s]));(e||r.size<=p)&&(this.cursor=o.cursor),o.entries.forEach(s=>r.set(s.number,s)),this.entries=[...r.values()].sort((s,d)=>d.number-s.number).slice(0,C),this.head=await b("/v1/audit/head"),this.error=null}catch(t){this.error=t}this.loaded=!0}filter(e){e.preventDefault();const t=new FormData(e.currentTarget);this.filters={actor:String(t.get("actor")??"").trim(),kind:String(t.get("kind")??"").trim(),subject:String(t.get("subject")??"")},g({...this.filters}),this.entries=[],this.cursor=null,this.loaded=!1,this.load()}render(){return i`<div class="stack">
      <div class="row between"><h1>Audit</h1>${this.chain()}</div>
      <form @submit=${this.filter} aria-label="Filter">
        <div class="field"><label for="actor">Who</label><input id="actor" name="actor" .value=${this.filters.actor} maxlength="100" /></div>
        <div class="field"><label for="kind">Kind of change</label><input id="kind" name="kind" placeholder="component.register" .value=${this.filters.kind} maxlength="100" /></div>
        <div class="field"><label for="subject">Subject</label><select id="subject" name="subject">
          <option value="">All</option>
          ${["cluster","components","groups","policies","playbooks","executions","processors","variables","alerts","silences","alert_rules","tokens"].map(e=>i`<option ?selected=${e===this.filters.subject}>${e}</option>`)}
        </select></div>
        <button type="submit">Show</button>
      </form>
      <tri-error .error=${this.error} .retry=${()=>void this.load()}></tri-error>
      <section class="card flush">
        ${this.loaded?this.table():i`<tri-loading what="entries"></tri-loading>`}
        ${this.cursor?i`<div class="more"><button @click=${()=>void this.load(!0)}>Older entries</button></div>`:c}
      </section>
      ${this.detail()}
    </div>`}chain(){if(!this.head)return c;const t=!this.filters.actor&&!this.filters.kind&&!this.filters.subject?N(this.entries):null;return i`<div class="row small">
      <tri-badge state=${t===null?"INTACT":"FAILED"} label=${t===null?"links hold":`broken at ${t}`}></tri-badge>
      <span class="muted num" title=${this.head.hash}>${k(this.head.number)} entries, newest <span class="mono">${this.head.hash.slice(0,12)}</span></span>
    </div>`}table(){return i`<tri-table searchable label="Audit entries" sort="-number" empty="No entry fits" .columns=${[{key:"number",label:"No.",width:"76px",numeric:!0,value:t=>t.number,cell:t=>i`<button class="plain" aria-expanded=${this.chosen===t.number} aria-label="Entry ${t.number}" @click=${()=>this.chosen=this.chosen===t.number?null:t.number}>${t.number}</button>`},{key:"time",label:"Time",width:"170px",value:t=>t.time,cell:t=>i`${x(t.time)}`},{key:"actor",label:"Who",width:"170px",value:t=>f(t)},{key:"kind",label:"Change",value:t=>t.kind},{key:"subject",label:"Of",value:t=>`${t.subject} ${t.id}`,extra:!0},{key:"outcome",label:"Outcome",width:"130px",value:t=>h(t),cell:t=>i`<tri-badge state=${h(t)} tone=${h(t)==="done"?"ok":"warn"}></tri-badge>`},{key:"from",label:"From",width:"130px",extra:!0,value:t=>t.actor?.address??null}]} .rows=${this.entries} .rowKey=${t=>String(t.number)}></tri-table>`}detail(){const e=this.entries.find(t=>t.number===this.chosen);return e?i`<section class="card" aria-labelledby="h-entry">
      <header><h2 id="h-entry">Entry ${e.number}</h2><button class="plain" @click=${()=>this.chosen=null}>Close</button></header>
      <div class="stack">
        <dl class="facts">
          <dt>Who</dt><dd>${f(e)} ${e.actor?i`<span class="muted">${e.actor.kind} ${e.actor.id}, ${e.actor.role??""}</span>`:c}</dd>
          <dt>From</dt><dd>${e.actor?.address||"–"}${e.actor?.node?` by way of ${e.actor.node}`:""}</dd>
          <dt>Epoch, index</dt><dd>${e.epoch??"–"}, ${e.index}</dd>
          <dt>Hash</dt><dd class="mono">${e.hash}</dd>
          <dt>Previous</dt><dd class="mono">${e.previous}</dd>
        </dl>
        <div class="grid">
          <div><h3>Before</h3><pre tabindex="0" aria-label="Before">${m(e.before)}</pre></div>
          <div><h3>After</h3><pre tabindex="0" aria-label="After">${m(e.after)}</pre></div>
        </div>
      </div>
    </section>`:c}};a.styles=[w,j`
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
    `];n([O({attribute:!1})],a.prototype,"query",2);n([l()],a.prototype,"entries",2);n([l()],a.prototype,"cursor",2);n([l()],a.prototype,"head",2);n([l()],a.prototype,"error",2);n([l()],a.prototype,"chosen",2);n([l()],a.prototype,"loaded",2);n([l()],a.prototype,"filters",2);a=n([S("page-audit")],a);function f(e){return e.actor?e.actor.name||e.actor.id:"the cluster itself"}function h(e){return e.outcome===null||e.outcome===void 0||e.outcome===""||e.outcome==="ok"?"done":typeof e.outcome=="string"?e.outcome:JSON.stringify(e.outcome)}function m(e){return e==null?"–":JSON.stringify(e,null,2)}function N(e){for(let t=0;t+1<e.length;t+=1){const o=e[t],r=e[t+1];if(o.number===r.number+1&&o.previous!==r.hash)return o.number}return null}export{a as Audit};
