import{a as l,A as o,b as a,t as r,g as c,p as L,c as P,r as x,d as D,n as C,s as k,i as M,L as F,P as N,e as R,f as U,h as j,j as G,k as W,l as q,m as z,o as B,q as K,u as Z}from"./index-B9RviuEs.js";import"./chart-CvLMIJaH.js";import{b as y,E as u}from"./every-D1-Xgsa1.js";import{health as H,silence as _}from"./components-BQAZJg4S.js";import"./overview-B1Cv5HS7.js";import"./shown-Dvog4kQy.js";const f="/v1/components/{component_id}/commands",S=6e4,Y=new Set(["INITIALIZING","STOPPING"]),p=(e,t="")=>`/v1/components/${encodeURIComponent(e)}${t}`;function g(e,t,n){return c("/v1/plan",{target:t,component:e,related:n})}async function I(e,t){(await D(p(e,"/commands"),{command:t},{key:C()})).completed||await X(e)}async function X(e){const t=performance.now()+S;for(;;){const n=await c(p(e));if(n.state==="FAULT")throw new Error(`${e} is in FAULT: ${n.reason}`);if(!Y.has(n.state))return;if(performance.now()>t)throw new Error(`${e} is still ${n.state} after ${S/1e3} s`);await J(500)}}function J(e){return new Promise(t=>{const n=()=>{clearTimeout(s),i(),t()},s=setTimeout(n,e),i=k.on(["components"],n)})}async function b(e){for(const t of[...e.steps].sort((n,s)=>n.wave-s.wave))for(const n of t.commands)await I(t.component_id,n)}function v(e,t){const n=e.steps.some(s=>s.component_id!==t);return a`<table class="plan" aria-label="Plan">
      <thead><tr><th scope="col">Step</th><th scope="col">Component</th><th scope="col">Is</th><th scope="col">Commands</th></tr></thead>
      <tbody>${e.steps.map(s=>a`<tr><td>${s.wave}</td><td>${n?a`<strong>${s.component_id}</strong>`:s.component_id}</td><td>${s.state}</td><td>${s.commands.join(", ")}</td></tr>`)}</tbody>
    </table>
    ${e.skipped.map(s=>a`<p>Left out: ${s.component_id} ${s.reason}</p>`)}
    ${e.steps.length===0?a`<p>${e.skipped.some(s=>s.blocked)?"Nothing can be done now.":"Nothing has to be done."}</p>`:o}`}function Q(e,t,n){if(e.steps.some(i=>i.component_id===t))return r(`${t}: ${n}`);const s=e.skipped.find(i=>i.component_id===t);r(`${t}: not ${n}${s?`, it ${s.reason}`:""}; ${L(new Set(e.steps.map(i=>i.component_id)).size,"other")} ${n}`,s?.blocked??!0)}async function E(e,t){const[n,s]=await Promise.all([g(e,t,!1),g(e,t,!0)]),i=s.steps.length>n.steps.length,d=s.steps.map(m=>m.component_id).filter(m=>m!==e),[h,O]=t==="STARTED"?["Start","started"]:["Stop","stopped"],T=await l({heading:`${h} ${e}?`,text:a`${v(n,e)}${i?a`<label><input type="checkbox" name="related" value="yes" ?required=${n.steps.length===0} /> ${t==="STARTED"?"Start what it needs, too":"Stop what needs it, too"}: ${d.join(", ")}</label>`:o}`,action:h,danger:t==="STOPPED",idle:s.steps.length===0,run:m=>b(m.related?s:n)});T&&Q(T.related?s:n,e,O)}async function V(e){const t=await g(e,"STOPPED",!1);await l({heading:`Restart ${e}?`,text:a`${v(t,e)}${t.steps.length===0?o:a`<p>Then the way back to STARTED: CMD_RESET, CMD_INITIALIZE, CMD_START. What needs it is not stopped.</p>`}`,action:"Restart",danger:!0,idle:t.steps.length===0,run:async()=>{await b(t);const s=await g(e,"STARTED",!1);if(s.steps.length===0)throw new Error(`${e} was stopped, and cannot be started: it ${s.skipped[0]?.reason??"is left out"}`);await b(s)}})&&r(`${e}: restarted`)}async function ee(e,t){await l({heading:`Reset ${e}?`,text:a`${v({skipped:[],steps:[{wave:1,component_id:e,state:t.state,commands:["CMD_RESET"]}]},e)}<p>It is READY then.</p>`,action:"Reset",danger:!0,run:()=>I(e,"CMD_RESET")})&&r(`${e}: reset`)}async function te(e){await l({heading:`Maintenance of ${e}`,text:"The supervision, plans and playbooks leave it alone until maintenance ends.",action:"Begin maintenance",reason:{label:"Reason",required:!0,placeholder:"belt change"},run:n=>P(p(e,"/maintenance"),{reason:n.reason,by:y()})})&&r(`${e}: in maintenance`)}async function ne(e){await l({heading:`End the maintenance of ${e}?`,action:"End maintenance",run:()=>x(p(e,"/maintenance"))})&&r(`${e}: maintenance ended`)}async function se(e){await l({heading:`Acknowledge the fault of ${e}`,text:"It stays in FAULT; that somebody knows is shown.",action:"Acknowledge",fields:a`<label><input type="checkbox" name="retry" value="yes" /> Restarts may be tried again, counted anew</label>`,reason:{label:"Note"},run:n=>D(p(e,"/acknowledge"),{by:y(),note:n.reason,retry:n.retry==="yes"})})&&r(`${e}: acknowledged`)}async function ae(e,t){const n=(i,d)=>a`<option value=${i} ?selected=${(t.desired??"")===i}>${d}</option>`,s=await l({heading:`Desired state of ${e}`,text:"The supervision brings it there, and back when it leaves it.",action:"Set",fields:a`<div class="field"><label for="desired">State</label><select id="desired" name="state">${n("STARTED","STARTED")}${n("STOPPED","STOPPED")}${n("","neither: left as it is")}</select></div>`,run:i=>P(p(e,"/desired"),{state:i.state||null,by:y()})});s&&r(`${e}: desired state is ${s.state||"neither"}`)}var ie=Object.defineProperty,oe=Object.getOwnPropertyDescriptor,w=(e,t,n,s)=>{for(var i=s>1?void 0:s?oe(t,n):t,d=e.length-1,h;d>=0;d--)(h=e[d])&&(i=(s?h(t,n,i):h(i))||i);return s&&i&&ie(t,n,i),i};const re=1500,de=4e3,A=5e3,ce=8,le=600;let $=class extends M{constructor(){super(...arguments),this.params={},this.shownFor="",this.live=new F(this,["components","figures","session"]),this.heard=new u(this,re,e=>c(this.path(),void 0,{signal:e})),this.policy=new u(this,A,e=>c(this.path("/policy"),void 0,{signal:e})),this.around=new u(this,A,e=>c(this.path("/dependents"),void 0,{signal:e})),this.metrics=new u(this,de,e=>this.history(e))}get id_(){return this.params.id??""}path(e=""){return`/v1/components/${encodeURIComponent(this.id_)}${e}`}async history(e){const t=await c(this.path("/metrics"),void 0,{signal:e}),n=t.metrics.map(i=>i.name).slice(0,ce);if(n.length===0)return t;const s=Math.max(...t.metrics.map(i=>i.latest_time))-le;return c(this.path("/metrics"),{name:n,since:s},{signal:e})}willUpdate(e){if(e.has("params")&&this.shownFor!==this.id_){if(this.shownFor)for(const t of[this.heard,this.policy,this.around,this.metrics])t.value=null,t.now();this.shownFor=this.id_}}render(){const e=k.rows("components").get(this.id_);if(!e){const s=this.heard.error instanceof N&&this.heard.error.code==="component_unknown";return a`<div class="stack"><a class="small" href="#/components">Components</a>${this.heard.error&&!s?a`<tri-error .error=${this.heard.error}></tri-error>`:a`<tri-empty heading="${this.id_} is not registered"></tri-empty>`}</div>`}const t=this.heard.value?.id===e.id?this.heard.value:e,n=e.reason||e.health_reason||e.exhausted;return a`<div class="stack">
      <nav aria-label="Where this is" class="small"><a href="#/components">Components</a> <span class="muted">/ ${e.id}</span></nav>
      <div class="row between">
        <div class="row">
          <h1>${e.name||e.id}</h1>
          <tri-badge state=${e.state} data-fact="state"></tri-badge><tri-badge state=${H(e)}></tri-badge>
        </div>
        ${this.actions(e)}
      </div>
      ${n?a`<p class="why">${n}${e.acknowledged?a` <span class="muted">Acknowledged by ${e.acknowledged.by||"somebody"}${e.acknowledged.note?`: ${e.acknowledged.note}`:""}.</span>`:o}</p>`:o}
      <div class="grid">${this.facts(e,t)} ${this.wanted(e)} ${this.neighbours()}</div>
      ${this.charts()}
    </div>`}actions(e){const t=e.id,n="/v1/components/{component_id}",s=e.state==="INITIALIZING"||e.state==="STOPPING"?`${t} is ${e.state}.`:"";return a`<div class="actions" role="group" aria-label="Actions">
      <tri-action path=${f} hinder=${s||(e.state==="STARTED"?`${t} is started.`:"")} .run=${()=>E(t,"STARTED")}>Start</tri-action>
      <tri-action path=${f} hinder=${e.state==="STARTED"||e.state==="INIT_COMPLETE"?"":`${t} is ${e.state}: there is nothing to stop.`} .run=${()=>E(t,"STOPPED")}>Stop</tri-action>
      <tri-action path=${f} hinder=${e.state==="STARTED"?"":`${t} is not started.`} .run=${()=>V(t)}>Restart</tri-action>
      <tri-action path=${f} hinder=${e.state==="FAULT"||e.state==="STOPPED"?"":"Only a component in FAULT or STOPPED is reset."} .run=${()=>ee(t,e)}>Reset</tri-action>
      <tri-action method="PUT" path="${n}/desired" .run=${()=>ae(t,e)}>Desired state</tri-action>
      ${e.maintenance?a`<tri-action method="DELETE" path="${n}/maintenance" .run=${()=>ne(t)}>End maintenance</tri-action>`:a`<tri-action method="PUT" path="${n}/maintenance" .run=${()=>te(t)}>Maintenance</tri-action>`}
      <tri-action path="${n}/acknowledge" hinder=${e.state==="FAULT"?"":`${t} is not in FAULT.`} .run=${()=>se(t)}>Acknowledge</tri-action>
    </div>`}facts(e,t){return a`<section class="card" aria-labelledby="h-facts">
      <header><h2 id="h-facts">Now</h2></header>
      <dl class="facts">
        <dt>Id</dt><dd class="mono">${e.id}</dd>
        <dt>Presence</dt><dd>${e.presence}</dd>
        <dt>Last seen</dt><dd>${_(e.id)===null?"–":he(_(e.id)??0)}</dd>
        <dt>Heartbeat</dt><dd>${e.heartbeat_s===null?"as the plant's":`every ${R(e.heartbeat_s)}`}</dd>
        <dt>CPU, memory</dt><dd>${U(t.cpu)}, ${j(t.memory)}</dd>
        <dt>Groups</dt><dd>${e.groups.join(", ")||"–"}</dd>
        <dt>Labels</dt><dd>${Object.entries(e.labels??{}).map(([n,s])=>`${n}=${s}`).join(", ")||"–"}</dd>
        <dt>Address</dt><dd class="mono">${e.address}</dd>
        <dt>Registered</dt><dd><tri-time .value=${e.registered_time}></tri-time></dd>
      </dl>
    </section>`}wanted(e){const t=this.policy.value,n=t?.run;return a`<section class="card" aria-labelledby="h-wanted">
      <header><h2 id="h-wanted">Wanted</h2></header>
      <dl class="facts">
        <dt>Desired</dt><dd>${e.desired?a`<strong>${e.desired}</strong>${t?.desired_by?` by ${t.desired_by}`:""}`:"nothing is said"}</dd>
        <dt>Maintenance</dt><dd>${e.maintenance?a`${e.maintenance.reason}${e.maintenance.by?`, ${e.maintenance.by}`:""}, <tri-time .value=${e.maintenance.since}></tri-time>`:"no"}</dd>
        ${t?a`${Object.entries(t.policy.restart??{}).filter(([s])=>s==="when"||t.policy.restart.when!=="never").map(([s,i])=>a`<dt>${pe(`restart_${s}`)}</dt><dd>${String(i)}</dd>`)}
              <dt>If what it needs fails</dt><dd>${t.policy.on_dependency_failure}</dd>
              <dt>Restarts counted</dt><dd>${t.restarts}</dd>
              <dt>Last run</dt><dd>${n?a`${n.purpose} to ${n.goal}, ${n.outcome||"goes on"}, <tri-time .value=${n.time}></tri-time>${n.reason?a`<br /><span class="muted">${n.reason}</span>`:o}`:"none"}</dd>`:o}
      </dl>
    </section>`}neighbours(){const e=this.around.value,t=n=>n.length===0?a`<p class="muted small">none</p>`:a`<ul class="neighbours">${n.map(s=>a`<li><a href=${W("components",s.id)}>${s.id}</a>${s.state?a`<tri-badge state=${s.presence==="OFFLINE"?"OFFLINE":s.state}></tri-badge>`:a`<span class="muted">not registered</span>`}</li>`)}</ul>`;return a`<section class="card" aria-labelledby="h-around">
      <header><h2 id="h-around">Dependencies</h2></header>
      <div class="stack">
        <div><h3>Needs</h3>${t(e?.needs??[])}</div>
        <div><h3>Needed by</h3>${t(e?.dependents??[])}</div>
      </div>
    </section>`}charts(){const e=this.metrics.value,t=(e?.metrics??[]).filter(n=>n.points&&n.points.length>0);return a`<section class="card" aria-labelledby="h-metrics">
      <header><h2 id="h-metrics">Figures, the last ten minutes</h2>${e?a`<span class="muted small">kept by ${e.node} since <tri-time .value=${e.history_since}></tri-time></span>`:o}</header>
      ${this.metrics.error?a`<tri-error .error=${this.metrics.error}></tri-error>`:o}
      ${t.length===0&&!this.metrics.error?e?a`<tri-empty heading="No figures yet"></tri-empty>`:a`<tri-loading></tri-loading>`:a`<div class="charts">${t.map(n=>this.chart(n))}</div>`}
    </section>`}chart(e){const t=e.points??[],n=e.name==="memory"?1/(1<<20):e.name==="cpu"?100:1,s=e.name==="memory"?"MiB":e.name==="cpu"?"%":"";return a`<figure>
      <h3>${e.name} <span class="muted num">${G(e.latest*n)} ${s}</span></h3>
      <tri-chart label=${e.name} unit=${s} .times=${t.map(i=>i.time)} .lines=${[{label:e.name,values:t.map(i=>i.mean*n)}]}></tri-chart>
    </figure>`}};$.styles=[q,z`
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
    `];w([B({attribute:!1})],$.prototype,"params",2);w([K()],$.prototype,"shownFor",2);$=w([Z("page-component")],$);function he(e){return e<1?"under 1 s ago":`${R(e)} ago`}function pe(e){const t=e.replace(/_s$/," (s)").replaceAll("_"," ");return t.charAt(0).toUpperCase()+t.slice(1)}export{$ as ComponentPage};
