import{u as c,A as o,b as a,v as r,B as L,g as d,p as N,x as R,y as I,C as D,D as M,e as $,a as F,L as U,P as j,d as O,F as G,G as W,k as S,H as B,s as z,i as H,n as K,r as Z,c as q}from"./index-DRkjX7RG.js";import"./chart-BT1yW9br.js";import"./decisions-Ba2DH9Ro.js";import{b as y,E as u}from"./every-dSeuuQNj.js";import{h as Y,s as E}from"./component-shown-CXb_gVNc.js";const v="/v1/components/{component_id}/commands",k=6e4,V=new Set(["INITIALIZING","STOPPING"]),h=(e,t="")=>`/v1/components/${encodeURIComponent(e)}${t}`;function g(e,t,s){return d("/v1/plan",{target:t,component:e,related:s})}async function C(e,t){(await D(h(e,"/commands"),{command:t},{key:M()})).completed||await X(e)}async function X(e){const t=performance.now()+k;for(;;){const s=await d(h(e));if(s.state==="FAULT")throw new Error(`${e} is in FAULT: ${s.reason}`);if(!V.has(s.state))return;if(performance.now()>t)throw new Error(`${e} is still ${s.state} after ${k/1e3} s`);await J(500)}}function J(e){return new Promise(t=>{const s=()=>{clearTimeout(n),i(),t()},n=setTimeout(s,e),i=$.on(["components"],s)})}async function b(e){for(const t of[...e.steps].sort((s,n)=>s.wave-n.wave))for(const s of t.commands)await C(t.component_id,s)}function w(e,t){const s=e.steps.some(n=>n.component_id!==t);return a`<table class="plan" aria-label="Plan">
      <thead><tr><th scope="col">Step</th><th scope="col">Component</th><th scope="col">Is</th><th scope="col">Commands</th></tr></thead>
      <tbody>${e.steps.map(n=>a`<tr><td>${n.wave}</td><td>${s?a`<strong>${n.component_id}</strong>`:n.component_id}</td><td>${n.state}</td><td>${n.commands.join(", ")}</td></tr>`)}</tbody>
    </table>
    ${e.skipped.map(n=>a`<p>Left out: ${n.component_id} ${n.reason}</p>`)}
    ${e.steps.length===0?a`<p>${e.skipped.some(n=>n.blocked)?"Nothing can be done now.":"Nothing has to be done."}</p>`:o}`}function Q(e,t,s){if(e.steps.some(i=>i.component_id===t))return r(`${t}: ${s}`);const n=e.skipped.find(i=>i.component_id===t);r(`${t}: not ${s}${n?`, it ${n.reason}`:""}; ${N(new Set(e.steps.map(i=>i.component_id)).size,"other")} ${s}`,n?.blocked??!0)}async function A(e,t){const[s,n]=await Promise.all([g(e,t,!1),g(e,t,!0)]),i=n.steps.length>s.steps.length,l=n.steps.map(m=>m.component_id).filter(m=>m!==e),[p,x]=t==="STARTED"?["Start","started"]:["Stop","stopped"],_=await c({heading:`${p} ${e}?`,text:a`${w(s,e)}${i?a`<label><input type="checkbox" name="related" value="yes" ?required=${s.steps.length===0} /> ${t==="STARTED"?"Start what it needs, too":"Stop what needs it, too"}: ${l.join(", ")}</label>`:o}`,action:p,danger:t==="STOPPED",idle:n.steps.length===0,run:m=>b(m.related?n:s)});_&&Q(_.related?n:s,e,x)}async function ee(e){const t=await g(e,"STOPPED",!1);await c({heading:`Restart ${e}?`,text:a`${w(t,e)}${t.steps.length===0?o:a`<p>Then the way back to STARTED: CMD_RESET, CMD_INITIALIZE, CMD_START. What needs it is not stopped.</p>`}`,action:"Restart",danger:!0,idle:t.steps.length===0,run:async()=>{await b(t);const n=await g(e,"STARTED",!1);if(n.steps.length===0)throw new Error(`${e} was stopped, and cannot be started: it ${n.skipped[0]?.reason??"is left out"}`);await b(n)}})&&r(`${e}: restarted`)}async function te(e,t){await c({heading:`Reset ${e}?`,text:a`${w({skipped:[],steps:[{wave:1,component_id:e,state:t.state,commands:["CMD_RESET"]}]},e)}<p>It is READY then.</p>`,action:"Reset",danger:!0,run:()=>C(e,"CMD_RESET")})&&r(`${e}: reset`)}async function se(e){await c({heading:`Maintenance of ${e}`,text:"The supervision, plans and playbooks leave it alone until maintenance ends.",action:"Begin maintenance",reason:{label:"Reason",required:!0,placeholder:"belt change"},run:s=>R(h(e,"/maintenance"),{reason:s.reason,by:y()})})&&r(`${e}: in maintenance`)}async function ne(e){await c({heading:`End the maintenance of ${e}?`,action:"End maintenance",run:()=>I(h(e,"/maintenance"))})&&r(`${e}: maintenance ended`)}async function ae(e){await c({heading:`Remove ${e}?`,text:"The plant forgets that it is registered. One that comes back registers again; what is wanted of it is kept for it.",action:"Remove",danger:!0,run:()=>I(h(e))})&&(r(`${e}: removed`),L("components"))}async function ie(e){await c({heading:`Acknowledge the fault of ${e}`,text:"It stays in FAULT; that somebody knows is shown.",action:"Acknowledge",fields:a`<label><input type="checkbox" name="retry" value="yes" /> Restarts may be tried again, counted anew</label>`,reason:{label:"Note"},run:s=>D(h(e,"/acknowledge"),{by:y(),note:s.reason,retry:s.retry==="yes"})})&&r(`${e}: acknowledged`)}async function oe(e,t){const s=(i,l)=>a`<option value=${i} .selected=${(t.desired??"")===i}>${l}</option>`,n=await c({heading:`Desired state of ${e}`,text:"The supervision brings it there, and back when it leaves it.",action:"Set",fields:a`<div class="field"><label for="desired">State</label><select id="desired" name="state">${s("STARTED","STARTED")}${s("STOPPED","STOPPED")}${s("","neither: left as it is")}</select></div>`,run:i=>R(h(e,"/desired"),{state:i.state||null,by:y()})});n&&r(`${e}: desired state is ${n.state||"neither"}`)}var re=Object.defineProperty,de=Object.getOwnPropertyDescriptor,T=(e,t,s,n)=>{for(var i=n>1?void 0:n?de(t,s):t,l=e.length-1,p;l>=0;l--)(p=e[l])&&(i=(n?p(t,s,i):p(i))||i);return n&&i&&re(t,s,i),i};const ce=1500,le=4e3,P=5e3,he=2500,pe=8,me=600;let f=class extends F{constructor(){super(...arguments),this.params={},this.shownFor="",this.live=new U(this,["components","figures","session"]),this.heard=new u(this,ce,e=>d(this.path(),void 0,{signal:e})),this.policy=new u(this,P,e=>d(this.path("/policy"),void 0,{signal:e})),this.around=new u(this,P,e=>d(this.path("/dependents"),void 0,{signal:e})),this.supervised=new u(this,he,e=>d("/v1/supervision",void 0,{signal:e})),this.metrics=new u(this,le,e=>this.history(e)),this.asked=[],this.off=null}connectedCallback(){super.connectedCallback(),this.off=$.on(["components","policies"],()=>{const e=[$.rows("components").get(this.id_),$.rows("policies").get(this.id_)];e.every((t,s)=>t===this.asked[s])||(this.asked=e,this.supervised.now())})}disconnectedCallback(){super.disconnectedCallback(),this.off?.()}get id_(){return this.params.id??""}path(e=""){return`/v1/components/${encodeURIComponent(this.id_)}${e}`}async history(e){const t=await d(this.path("/metrics"),void 0,{signal:e}),s=t.metrics.map(i=>i.name).slice(0,pe);if(s.length===0)return t;const n=Math.max(...t.metrics.map(i=>i.latest_time))-me;return d(this.path("/metrics"),{name:s,since:n},{signal:e})}willUpdate(e){if(e.has("params")&&this.shownFor!==this.id_){if(this.shownFor)for(const t of[this.heard,this.policy,this.around,this.metrics])t.value=null,t.now();this.shownFor=this.id_}}render(){const e=$.rows("components").get(this.id_);if(!e){const n=this.heard.error instanceof j&&this.heard.error.code==="component_unknown";return a`<div class="stack"><a class="small" href="#/components">Components</a>${this.heard.error&&!n?a`<tri-error .error=${this.heard.error}></tri-error>`:a`<tri-empty heading="${this.id_} is not registered"></tri-empty>`}</div>`}const t=this.heard.value?.id===e.id?this.heard.value:e,s=e.reason||e.health_reason||e.exhausted;return a`<div class="stack">
      <nav aria-label="Where this is" class="small"><a href="#/components">Components</a> <span class="muted">/ ${e.id}</span></nav>
      <div class="row between">
        <div class="row">
          <h1>${e.name||e.id}</h1>
          <tri-badge state=${e.state} data-fact="state"></tri-badge><tri-badge state=${Y(e)}></tri-badge>
        </div>
        ${this.actions(e)}
      </div>
      ${s?a`<p class="why">${s}${e.acknowledged?a` <span class="muted">Acknowledged by ${e.acknowledged.by||"somebody"}${e.acknowledged.note?`: ${e.acknowledged.note}`:""}.</span>`:o}</p>`:o}
      <div class="grid">${this.facts(e,t)} ${this.wanted(e)} ${this.neighbours()}</div>
      ${this.supervision(e)}
      ${this.charts()}
    </div>`}actions(e){const t=e.id,s="/v1/components/{component_id}",n=e.state==="INITIALIZING"||e.state==="STOPPING"?`${t} is ${e.state}.`:"";return a`<div class="actions" role="group" aria-label="Actions">
      <tri-action path=${v} hinder=${n||(e.state==="STARTED"?`${t} is started.`:"")} .run=${()=>A(t,"STARTED")}>Start</tri-action>
      <tri-action path=${v} hinder=${e.state==="STARTED"||e.state==="INIT_COMPLETE"?"":`${t} is ${e.state}: there is nothing to stop.`} .run=${()=>A(t,"STOPPED")}>Stop</tri-action>
      <tri-action path=${v} hinder=${e.state==="STARTED"?"":`${t} is not started.`} .run=${()=>ee(t)}>Restart</tri-action>
      <tri-action path=${v} hinder=${e.state==="FAULT"||e.state==="STOPPED"?"":"Only a component in FAULT or STOPPED is reset."} .run=${()=>te(t,e)}>Reset</tri-action>
      <tri-action method="PUT" path="${s}/desired" .run=${()=>oe(t,e)}>Desired state</tri-action>
      ${e.maintenance?a`<tri-action method="DELETE" path="${s}/maintenance" .run=${()=>ne(t)}>End maintenance</tri-action>`:a`<tri-action method="PUT" path="${s}/maintenance" .run=${()=>se(t)}>Maintenance</tri-action>`}
      <tri-action path="${s}/acknowledge" hinder=${e.state==="FAULT"?"":`${t} is not in FAULT.`} .run=${()=>ie(t)}>Acknowledge</tri-action>
      <tri-action method="DELETE" path=${s} kind="danger" hinder=${e.presence==="OFFLINE"?"":`${t} is ${e.presence}: it would register again.`} .run=${()=>ae(t)}>Remove</tri-action>
    </div>`}facts(e,t){return a`<section class="card" aria-labelledby="h-facts">
      <header><h2 id="h-facts">Now</h2></header>
      <dl class="facts">
        <dt>Id</dt><dd class="mono">${e.id}</dd>
        <dt>Presence</dt><dd>${e.presence}</dd>
        <dt>Last seen</dt><dd>${E(e.id)===null?"–":ue(E(e.id)??0)}</dd>
        <dt>Heartbeat</dt><dd>${e.heartbeat_s===null?"as the plant's":`every ${O(e.heartbeat_s)}`}</dd>
        <dt>CPU, memory</dt><dd>${G(t.cpu)}, ${W(t.memory)}</dd>
        <dt>Groups</dt><dd>${e.groups.join(", ")||"–"}</dd>
        <dt>Labels</dt><dd>${Object.entries(e.labels??{}).map(([s,n])=>`${s}=${n}`).join(", ")||"–"}</dd>
        <dt>Address</dt><dd class="mono">${e.address}</dd>
        <dt>Registered</dt><dd><tri-time .value=${e.registered_time}></tri-time></dd>
      </dl>
    </section>`}wanted(e){const t=this.policy.value,s=t?.run;return a`<section class="card" aria-labelledby="h-wanted">
      <header><h2 id="h-wanted">Wanted</h2></header>
      <dl class="facts">
        <dt>Desired</dt><dd>${e.desired?a`<strong>${e.desired}</strong>${t?.desired_by?` by ${t.desired_by}`:""}`:"nothing is said"}</dd>
        <dt>Maintenance</dt><dd>${e.maintenance?a`${e.maintenance.reason}${e.maintenance.by?`, ${e.maintenance.by}`:""}, <tri-time .value=${e.maintenance.since}></tri-time>`:"no"}</dd>
        ${t?a`${Object.entries(t.policy.restart??{}).filter(([n])=>n==="when"||t.policy.restart.when!=="never").map(([n,i])=>a`<dt>${$e(`restart_${n}`)}</dt><dd>${String(i)}</dd>`)}
              <dt>If what it needs fails</dt><dd>${t.policy.on_dependency_failure}</dd>
              <dt>Restarts counted</dt><dd>${t.restarts}</dd>
              <dt>Last run</dt><dd>${s?a`${s.purpose} to ${s.goal}, ${s.outcome||"goes on"}, <tri-time .value=${s.time}></tri-time>${s.reason?a`<br /><span class="muted">${s.reason}</span>`:o}`:"none"}</dd>`:o}
      </dl>
    </section>`}supervision(e){const t=this.supervised.value,s=t?.find(n=>n.component===e.id);return a`<section class="card flush" aria-labelledby="h-supervision">
      <header><h2 id="h-supervision">Supervision</h2><a class="small" href="${S("journal")}?about=${encodeURIComponent(e.id)}">Its journal</a></header>
      <div class="now small" data-fact="supervision">
        ${s?a`<strong>Now:</strong> ${s.reason}${s.trouble?a`. <span class="trouble">Not done: ${s.trouble}</span>`:o}`:t?a`<span class="muted">Nothing is asked of it, so the supervision leaves it alone.</span>`:a`<span class="muted">The leader has not said yet.</span>`}
        ${this.supervised.error?a`<tri-error .error=${this.supervised.error}></tri-error>`:o}
      </div>
      <tri-decisions .about=${e.id}></tri-decisions>
    </section>`}neighbours(){const e=this.around.value,t=s=>s.length===0?a`<p class="muted small">none</p>`:a`<ul class="neighbours">${s.map(n=>a`<li><a href=${S("components",n.id)}>${n.id}</a>${n.state?a`<tri-badge state=${n.presence==="OFFLINE"?"OFFLINE":n.state}></tri-badge>`:a`<span class="muted">not registered</span>`}</li>`)}</ul>`;return a`<section class="card" aria-labelledby="h-around">
      <header><h2 id="h-around">Dependencies</h2></header>
      <div class="stack">
        <div><h3>Needs</h3>${t(e?.needs??[])}</div>
        <div><h3>Needed by</h3>${t(e?.dependents??[])}</div>
      </div>
    </section>`}charts(){const e=this.metrics.value,t=(e?.metrics??[]).filter(s=>s.points&&s.points.length>0);return a`<section class="card" aria-labelledby="h-metrics">
      <header><h2 id="h-metrics">Figures, the last ten minutes</h2>${e?a`<span class="muted small">kept by ${e.node} since <tri-time .value=${e.history_since}></tri-time></span>`:o}</header>
      ${this.metrics.error?a`<tri-error .error=${this.metrics.error}></tri-error>`:o}
      ${t.length===0&&!this.metrics.error?e?a`<tri-empty heading="No figures yet"></tri-empty>`:a`<tri-loading></tri-loading>`:a`<div class="charts">${t.map(s=>this.chart(s))}</div>`}
    </section>`}chart(e){const t=e.points??[],s=e.name==="memory"?1/(1<<20):e.name==="cpu"?100:1,n=e.name==="memory"?"MiB":e.name==="cpu"?"%":"";return a`<figure>
      <h3>${e.name} <span class="muted num">${B(e.latest*s)} ${n}</span></h3>
      <tri-chart label=${e.name} unit=${n} .times=${t.map(i=>i.time)} .lines=${[{label:e.name,values:t.map(i=>i.mean*s)}]}></tri-chart>
    </figure>`}};f.styles=[z,H`
      nav a {
        text-decoration: underline;
      }
      .actions {
        display: flex;
        flex-wrap: wrap;
        gap: var(--space-2);
      }
      ul.neighbours {
        display: grid;
        gap: var(--space-2);
        list-style: none;
        font-size: var(--text-s);
      }
      ul.neighbours li {
        display: flex;
        justify-content: space-between;
        gap: var(--space-3);
      }
      .charts {
        display: grid;
        gap: var(--space-5);
        grid-template-columns: repeat(auto-fit, minmax(min(100%, 300px), 1fr));
      }
      .now {
        padding: var(--space-3) var(--space-4);
        border-bottom: 1px solid var(--line);
        overflow-wrap: anywhere;
      }
      .trouble {
        color: var(--bad);
      }
      .why {
        padding: var(--space-3) var(--space-4);
        border-left: 3px solid var(--bad);
        background: var(--bad-soft);
        color: var(--bad);
        font-size: var(--text-s);
        overflow-wrap: anywhere;
      }
    `];T([K({attribute:!1})],f.prototype,"params",2);T([Z()],f.prototype,"shownFor",2);f=T([q("page-component")],f);function ue(e){return e<1?"under 1 s ago":`${O(e)} ago`}function $e(e){const t=e.replace(/_s$/," (s)").replaceAll("_"," ");return t.charAt(0).toUpperCase()+t.slice(1)}export{f as ComponentPage};
