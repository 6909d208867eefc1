import{a as l,A as o,b as s,t as h,g as c,p as A,r as k,c as P,n as O,s as D,i as L,L as x,P as C,d as R,e as M,f as F,h as N,j as U,k as j,l as G,m as W,o as B,q as K}from"./index-dg0kO2az.js";import"./chart-DPtpI5qs.js";import{b as y,E as u}from"./every-CiR3Ddhz.js";import{health as Z,silence as T}from"./components-CKg2nqEN.js";import"./overview-hocdWQVb.js";const f="/v1/components/{component_id}/commands",S=6e4,q=new Set(["INITIALIZING","STOPPING"]),p=(e,t="")=>`/v1/components/${encodeURIComponent(e)}${t}`;function g(e,t,n){return c("/v1/plan",{target:t,component:e,related:n})}async function I(e,t){(await P(p(e,"/commands"),{command:t},{key:O()})).completed||await z(e)}async function z(e){const t=performance.now()+S;for(;;){const n=await c(p(e));if(n.state==="FAULT")throw new Error(`${e} is in FAULT: ${n.reason}`);if(!q.has(n.state))return;if(performance.now()>t)throw new Error(`${e} is still ${n.state} after ${S/1e3} s`);await H(500)}}function H(e){return new Promise(t=>{const n=()=>{clearTimeout(a),i(),t()},a=setTimeout(n,e),i=D.on(["components"],n)})}async function b(e){for(const t of[...e.steps].sort((n,a)=>n.wave-a.wave))for(const n of t.commands)await I(t.component_id,n)}function v(e,t){const n=e.steps.some(a=>a.component_id!==t);return s`<table class="plan" aria-label="Plan">
      <thead><tr><th scope="col">Step</th><th scope="col">Component</th><th scope="col">Is</th><th scope="col">Commands</th></tr></thead>
      <tbody>${e.steps.map(a=>s`<tr><td>${a.wave}</td><td>${n?s`<strong>${a.component_id}</strong>`:a.component_id}</td><td>${a.state}</td><td>${a.commands.join(", ")}</td></tr>`)}</tbody>
    </table>
    ${e.skipped.map(a=>s`<p>Left out: ${a.component_id} ${a.reason}</p>`)}
    ${e.steps.length===0?s`<p>Nothing has to be done.</p>`:o}`}async function _(e,t){const[n,a]=await Promise.all([g(e,t,!1),g(e,t,!0)]),i=a.steps.length>n.steps.length,r=a.steps.map(m=>m.component_id).filter(m=>m!==e),d=t==="STARTED"?"Start":"Stop";await l({heading:`${d} ${e}?`,text:s`${v(n,e)}${i?s`<label><input type="checkbox" name="related" value="yes" /> ${t==="STARTED"?"Start what it needs, too":"Stop what needs it, too"}: ${r.join(", ")}</label>`:o}`,action:d,danger:t==="STOPPED",run:m=>b(m.related?a:n)})&&h(`${e}: ${d==="Start"?"started":"stopped"}`)}async function Y(e){const t=await g(e,"STOPPED",!1);await l({heading:`Restart ${e}?`,text:s`${v(t,e)}<p>Then the way back to STARTED: CMD_RESET, CMD_INITIALIZE, CMD_START. What needs it is not stopped.</p>`,action:"Restart",danger:!0,run:async()=>{await b(t),await b(await g(e,"STARTED",!1))}})&&h(`${e}: restarted`)}async function X(e,t){await l({heading:`Reset ${e}?`,text:s`${v({skipped:[],steps:[{wave:1,component_id:e,state:t.state,commands:["CMD_RESET"]}]},e)}<p>It is READY then.</p>`,action:"Reset",danger:!0,run:()=>I(e,"CMD_RESET")})&&h(`${e}: reset`)}async function J(e){await l({heading:`Maintenance of ${e}`,text:"The supervision, plans and playbooks leave it alone until maintenance ends.",action:"Begin maintenance",reason:{label:"Reason",required:!0,placeholder:"belt change"},run:n=>A(p(e,"/maintenance"),{reason:n.reason,by:y()})})&&h(`${e}: in maintenance`)}async function Q(e){await l({heading:`End the maintenance of ${e}?`,action:"End maintenance",run:()=>k(p(e,"/maintenance"))})&&h(`${e}: maintenance ended`)}async function V(e){await l({heading:`Acknowledge the fault of ${e}`,text:"It stays in FAULT; that somebody knows is shown.",action:"Acknowledge",fields:s`<label><input type="checkbox" name="retry" value="yes" /> Restarts may be tried again, counted anew</label>`,reason:{label:"Note"},run:n=>P(p(e,"/acknowledge"),{by:y(),note:n.reason,retry:n.retry==="yes"})})&&h(`${e}: acknowledged`)}async function ee(e,t){const n=(i,r)=>s`<option value=${i} ?selected=${(t.desired??"")===i}>${r}</option>`,a=await l({heading:`Desired state of ${e}`,text:"The supervision brings it there, and back when it leaves it.",action:"Set",fields:s`<div class="field"><label for="desired">State</label><select id="desired" name="state">${n("STARTED","STARTED")}${n("STOPPED","STOPPED")}${n("","neither: left as it is")}</select></div>`,run:i=>A(p(e,"/desired"),{state:i.state||null,by:y()})});a&&h(`${e}: desired state is ${a.state||"neither"}`)}var te=Object.defineProperty,ne=Object.getOwnPropertyDescriptor,w=(e,t,n,a)=>{for(var i=a>1?void 0:a?ne(t,n):t,r=e.length-1,d;r>=0;r--)(d=e[r])&&(i=(a?d(t,n,i):d(i))||i);return a&&i&&te(t,n,i),i};const ae=1500,se=4e3,E=5e3,ie=8,oe=600;let $=class extends L{constructor(){super(...arguments),this.params={},this.shownFor="",this.live=new x(this,["components","figures","session"]),this.heard=new u(this,ae,e=>c(this.path(),void 0,{signal:e})),this.policy=new u(this,E,e=>c(this.path("/policy"),void 0,{signal:e})),this.around=new u(this,E,e=>c(this.path("/dependents"),void 0,{signal:e})),this.metrics=new u(this,se,e=>this.history(e))}get id_(){return this.params.id??""}path(e=""){return`/v1/components/${encodeURIComponent(this.id_)}${e}`}async history(e){const t=await c(this.path("/metrics"),void 0,{signal:e}),n=t.metrics.map(i=>i.name).slice(0,ie);if(n.length===0)return t;const a=Math.max(...t.metrics.map(i=>i.latest_time))-oe;return c(this.path("/metrics"),{name:n,since:a},{signal:e})}willUpdate(e){if(e.has("params")&&this.shownFor!==this.id_){if(this.shownFor)for(const t of[this.heard,this.policy,this.around,this.metrics])t.value=null,t.now();this.shownFor=this.id_}}render(){const e=D.rows("components").get(this.id_);if(!e){const a=this.heard.error instanceof C&&this.heard.error.code==="component_unknown";return s`<div class="stack"><a class="small" href="#/components">Components</a>${this.heard.error&&!a?s`<tri-error .error=${this.heard.error}></tri-error>`:s`<tri-empty heading="${this.id_} is not registered"></tri-empty>`}</div>`}const t=this.heard.value?.id===e.id?this.heard.value:e,n=e.reason||e.health_reason||e.exhausted;return s`<div class="stack">
      <nav aria-label="Where this is" class="small"><a href="#/components">Components</a> <span class="muted">/ ${e.id}</span></nav>
      <div class="row between">
        <div class="row">
          <h1>${e.name||e.id}</h1>
          <tri-badge state=${e.state} data-fact="state"></tri-badge><tri-badge state=${Z(e)}></tri-badge>
        </div>
        ${this.actions(e)}
      </div>
      ${n?s`<p class="why">${n}${e.acknowledged?s` <span class="muted">Acknowledged by ${e.acknowledged.by||"somebody"}${e.acknowledged.note?`: ${e.acknowledged.note}`:""}.</span>`:o}</p>`:o}
      <div class="grid">${this.facts(e,t)} ${this.wanted(e)} ${this.neighbours()}</div>
      ${this.charts()}
    </div>`}actions(e){const t=e.id,n="/v1/components/{component_id}",a=e.state==="INITIALIZING"||e.state==="STOPPING"?`${t} is ${e.state}.`:"";return s`<div class="actions" role="group" aria-label="Actions">
      <tri-action path=${f} hinder=${a||(e.state==="STARTED"?`${t} is started.`:"")} .run=${()=>_(t,"STARTED")}>Start</tri-action>
      <tri-action path=${f} hinder=${e.state==="STARTED"||e.state==="INIT_COMPLETE"?"":`${t} is ${e.state}: there is nothing to stop.`} .run=${()=>_(t,"STOPPED")}>Stop</tri-action>
      <tri-action path=${f} hinder=${e.state==="STARTED"?"":`${t} is not started.`} .run=${()=>Y(t)}>Restart</tri-action>
      <tri-action path=${f} hinder=${e.state==="FAULT"||e.state==="STOPPED"?"":"Only a component in FAULT or STOPPED is reset."} .run=${()=>X(t,e)}>Reset</tri-action>
      <tri-action method="PUT" path="${n}/desired" .run=${()=>ee(t,e)}>Desired state</tri-action>
      ${e.maintenance?s`<tri-action method="DELETE" path="${n}/maintenance" .run=${()=>Q(t)}>End maintenance</tri-action>`:s`<tri-action method="PUT" path="${n}/maintenance" .run=${()=>J(t)}>Maintenance</tri-action>`}
      <tri-action path="${n}/acknowledge" hinder=${e.state==="FAULT"?"":`${t} is not in FAULT.`} .run=${()=>V(t)}>Acknowledge</tri-action>
    </div>`}facts(e,t){return s`<section class="card" aria-labelledby="h-facts">
      <header><h2 id="h-facts">Now</h2></header>
      <dl class="facts">
        <dt>Id</dt><dd class="mono">${e.id}</dd>
        <dt>Presence</dt><dd>${e.presence}</dd>
        <dt>Last seen</dt><dd>${T(e.id)===null?"–":re(T(e.id)??0)}</dd>
        <dt>Heartbeat</dt><dd>${e.heartbeat_s===null?"as the plant's":`every ${R(e.heartbeat_s)}`}</dd>
        <dt>CPU, memory</dt><dd>${M(t.cpu)}, ${F(t.memory)}</dd>
        <dt>Groups</dt><dd>${e.groups.join(", ")||"–"}</dd>
        <dt>Labels</dt><dd>${Object.entries(e.labels??{}).map(([n,a])=>`${n}=${a}`).join(", ")||"–"}</dd>
        <dt>Address</dt><dd class="mono">${e.address}</dd>
        <dt>Registered</dt><dd><tri-time .value=${e.registered_time}></tri-time></dd>
      </dl>
    </section>`}wanted(e){const t=this.policy.value,n=t?.run;return s`<section class="card" aria-labelledby="h-wanted">
      <header><h2 id="h-wanted">Wanted</h2></header>
      <dl class="facts">
        <dt>Desired</dt><dd>${e.desired?s`<strong>${e.desired}</strong>${t?.desired_by?` by ${t.desired_by}`:""}`:"nothing is said"}</dd>
        <dt>Maintenance</dt><dd>${e.maintenance?s`${e.maintenance.reason}${e.maintenance.by?`, ${e.maintenance.by}`:""}, <tri-time .value=${e.maintenance.since}></tri-time>`:"no"}</dd>
        ${t?s`${Object.entries(t.policy.restart??{}).filter(([a])=>a==="when"||t.policy.restart.when!=="never").map(([a,i])=>s`<dt>${de(`restart_${a}`)}</dt><dd>${String(i)}</dd>`)}
              <dt>If what it needs fails</dt><dd>${t.policy.on_dependency_failure}</dd>
              <dt>Restarts counted</dt><dd>${t.restarts}</dd>
              <dt>Last run</dt><dd>${n?s`${n.purpose} to ${n.goal}, ${n.outcome||"goes on"}, <tri-time .value=${n.time}></tri-time>${n.reason?s`<br /><span class="muted">${n.reason}</span>`:o}`:"none"}</dd>`:o}
      </dl>
    </section>`}neighbours(){const e=this.around.value,t=n=>n.length===0?s`<p class="muted small">none</p>`:s`<ul class="neighbours">${n.map(a=>s`<li><a href=${U("components",a.id)}>${a.id}</a>${a.state?s`<tri-badge state=${a.presence==="OFFLINE"?"OFFLINE":a.state}></tri-badge>`:s`<span class="muted">not registered</span>`}</li>`)}</ul>`;return s`<section class="card" aria-labelledby="h-around">
      <header><h2 id="h-around">Dependencies</h2></header>
      <div class="stack">
        <div><h3>Needs</h3>${t(e?.needs??[])}</div>
        <div><h3>Needed by</h3>${t(e?.dependents??[])}</div>
      </div>
    </section>`}charts(){const e=this.metrics.value,t=(e?.metrics??[]).filter(n=>n.points&&n.points.length>0);return s`<section class="card" aria-labelledby="h-metrics">
      <header><h2 id="h-metrics">Figures, the last ten minutes</h2>${e?s`<span class="muted small">kept by ${e.node} since <tri-time .value=${e.history_since}></tri-time></span>`:o}</header>
      ${this.metrics.error?s`<tri-error .error=${this.metrics.error}></tri-error>`:o}
      ${t.length===0&&!this.metrics.error?e?s`<tri-empty heading="No figures yet"></tri-empty>`:s`<tri-loading></tri-loading>`:s`<div class="charts">${t.map(n=>this.chart(n))}</div>`}
    </section>`}chart(e){const t=e.points??[],n=e.name==="memory"?1/(1<<20):e.name==="cpu"?100:1,a=e.name==="memory"?"MiB":e.name==="cpu"?"%":"";return s`<figure>
      <h3>${e.name} <span class="muted num">${N(e.latest*n)} ${a}</span></h3>
      <tri-chart label=${e.name} unit=${a} .times=${t.map(i=>i.time)} .lines=${[{label:e.name,values:t.map(i=>i.mean*n)}]}></tri-chart>
    </figure>`}};$.styles=[j,G`
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
      .why {
        padding: var(--space-3) var(--space-4);
        border-left: 3px solid var(--bad);
        background: var(--bad-soft);
        color: var(--bad);
        font-size: var(--text-s);
        overflow-wrap: anywhere;
      }
    `];w([W({attribute:!1})],$.prototype,"params",2);w([B()],$.prototype,"shownFor",2);$=w([K("page-component")],$);function re(e){return e<1?"under 1 s ago":`${R(e)} ago`}function de(e){const t=e.replace(/_s$/," (s)").replaceAll("_"," ");return t.charAt(0).toUpperCase()+t.slice(1)}export{$ as ComponentPage};
