import{a as k,L as _,g as E,z as j,e as d,f as S,b as l,A as o,k as A,H as v,d as b,u as $,v as m,m as N,C as g,y as R,x as D,j as I,s as L,i as P,n as q,r as O,c as z}from"./index-DRkjX7RG.js";import{E as C,b as w}from"./every-dSeuuQNj.js";var G=Object.defineProperty,T=Object.getOwnPropertyDescriptor,f=(t,e,n,s)=>{for(var a=s>1?void 0:s?T(e,n):e,i=t.length-1,r;i>=0;i--)(r=t[i])&&(a=(s?r(e,n,a):r(a))||a);return s&&a&&G(e,n,a),a};const c=[["open","Open"],["resolved","Resolved"],["silences","Silences"],["rules","Rules"]],U=3e3,F=[[900,"15 minutes"],[3600,"1 hour"],[4*3600,"4 hours"],[24*3600,"1 day"],[168*3600,"7 days"]];let p=class extends k{constructor(){super(...arguments),this.query=new URLSearchParams,this.tab="open",this.live=new _(this,["alerts","silences","alert_rules"]),this.pending=new C(this,U,t=>E("/v1/alerts",{state:"pending"},{signal:t}))}willUpdate(t){if(!t.has("query"))return;const e=this.query.get("show");this.tab=c.find(([n])=>n===e)?.[0]??"open"}choose(t){this.tab=t,j({show:t==="open"?"":t})}turn(t){const e=t.key==="ArrowRight"?1:t.key==="ArrowLeft"?-1:0;if(e===0)return;const n=c.findIndex(([a])=>a===this.tab),s=c[(n+e+c.length)%c.length][0];this.choose(s),this.updateComplete.then(()=>this.renderRoot.querySelector(`#tab-${s}`)?.focus())}render(){const t=d.list("alerts"),e=t.filter(s=>s.state==="FIRING"),n={open:e.length,resolved:t.filter(s=>s.state==="RESOLVED").length,silences:d.list("silences").filter(s=>s.active&&!u(s)).length,rules:d.rows("alert_rules").size};return l`<div class="stack">
      <div class="row between">
        <h1>Alerts</h1>
        <tri-action path="/v1/silences" .run=${()=>this.silence()}>Silence alerts</tri-action>
      </div>
      <div class="tabs" role="tablist" aria-label="Alerts" @keydown=${this.turn}>
        ${c.map(([s,a])=>l`<button role="tab" id="tab-${s}" aria-selected=${this.tab===s} aria-controls="panel" tabindex=${this.tab===s?0:-1} @click=${()=>this.choose(s)}>${a} <span class="muted num">${S(n[s])}</span></button>`)}
      </div>
      <section class="card flush" id="panel" role="tabpanel" aria-labelledby="tab-${this.tab}">
        ${this.tab==="open"?this.open(e):this.tab==="resolved"?this.resolved(t):this.tab==="silences"?this.silences():this.rules()}
      </section>
    </div>`}open(t){const e=this.pending.value??[],n=[...t.sort((s,a)=>(a.fired_time??0)-(s.fired_time??0)),...e];return n.length===0?l`<tri-empty heading="Nothing fires, and nothing is about to"></tri-empty>`:l`<ul class="open">${n.map(s=>this.one(s))}</ul>`}one(t){return l`<li>
      <tri-badge state=${t.state==="PENDING"?"PENDING":t.severity}></tri-badge>
      <div>
        <h2>${t.rule}${t.group?l` <span class="muted">${t.group}</span>`:o}</h2>
        <p class="muted wrap">${t.summary}</p>
        <ul class="who">
          ${t.members.slice(0,12).map(e=>l`<li><a href=${A("components",e.subject)}>${e.subject}</a> <span class="muted wrap">${e.reason}${e.value===null?"":` (${v(e.value)})`}</span></li>`)}
          ${t.members_total>12?l`<li class="muted">and ${t.members_total-12} more</li>`:o}
        </ul>
        <p class="muted">
          ${t.state==="PENDING"?l`fires in ${b(t.fires_in_s)}`:l`fires since <tri-time .value=${t.fired_time}></tri-time>`}
          ${t.acknowledged?l` · <tri-badge tone="info" label=${`acknowledged by ${t.acknowledged.by}`}></tri-badge> ${t.acknowledged.note}`:o}
          ${t.silenced_by.length?l` · <tri-badge state="SILENCED" label=${`silenced by ${t.silenced_by.join(", ")}`}></tri-badge>`:o}
        </p>
      </div>
      ${t.id?l`<div class="row">
            <tri-action path="/v1/alerts/{alert_id}/acknowledge" label="Acknowledge ${t.rule}" .run=${()=>this.acknowledge(t)}>Acknowledge</tri-action>
            <tri-action path="/v1/silences" label="Silence ${t.rule}" .run=${()=>this.silence(t)}>Silence</tri-action>
          </div>`:o}
    </li>`}resolved(t){const e=[{key:"rule",label:"Rule",value:s=>s.rule},{key:"severity",label:"Severity",width:"110px",value:s=>s.severity,cell:s=>l`<tri-badge state=${s.severity} tone="idle"></tri-badge>`},{key:"who",label:"About",value:s=>s.members.map(a=>a.subject).join(", ")},{key:"fired",label:"Fired",width:"170px",value:s=>s.fired_time,cell:s=>l`<tri-time absolute .value=${s.fired_time}></tri-time>`},{key:"lasted",label:"Lasted",width:"120px",numeric:!0,extra:!0,value:s=>(s.resolved_time??0)-(s.fired_time??0),cell:s=>b((s.resolved_time??0)-(s.fired_time??0))},{key:"by",label:"Acknowledged by",width:"140px",extra:!0,value:s=>s.acknowledged?.by??null}],n=t.filter(s=>s.state==="RESOLVED");return l`<tri-table searchable label="Resolved alerts" sort="-fired" empty="Nothing is over yet" .columns=${e} .rows=${n}></tri-table>`}silences(){return l`<tri-table label="Silences" sort="-until" empty="Nothing is silenced" .columns=${[{key:"what",label:"Silences",value:e=>`${e.rule} ${e.subject}`,cell:e=>l`<span class="mono">${e.rule}</span> of <span class="mono">${e.subject}</span>${e.severity?` (${e.severity})`:""}`},{key:"reason",label:"Reason",value:e=>e.reason},{key:"by",label:"By",width:"130px",extra:!0,value:e=>e.by},{key:"until",label:"Until",width:"200px",value:e=>e.until,cell:e=>l`${N(e.until)} <tri-badge state=${u(e)?"over":"ACTIVE"} tone=${u(e)?"idle":"info"} label=${u(e)?"over":"holds"}></tri-badge>`},{key:"act",label:"",width:"80px",sortable:!1,value:()=>null,cell:e=>u(e)?o:l`<tri-action compact method="DELETE" path="/v1/silences/{silence_id}" label="End the silence ${e.id}" .run=${()=>this.unsilence(e)}>End</tri-action>`}]} .rows=${d.list("silences")}></tri-table>`}rules(){return l`<tri-table searchable label="Alert rules" sort="name" .columns=${[{key:"name",label:"Rule",value:e=>e.name,cell:e=>l`<span title=${e.summary}>${e.name}</span>`},{key:"severity",label:"Severity",width:"110px",value:e=>e.severity,cell:e=>l`<tri-badge state=${e.severity} tone=${e.enabled?"":"idle"}></tri-badge>`},{key:"when",label:"When",value:e=>V(e)},{key:"target",label:"Of",width:"140px",extra:!0,value:e=>e.target},{key:"source",label:"From",width:"120px",extra:!0,value:e=>e.revision===0?"the release":"set here"},{key:"enabled",label:"In force",width:"90px",value:e=>e.enabled?"yes":"no"},{key:"act",label:"",width:"100px",sortable:!1,value:()=>null,cell:e=>l`<tri-action compact method="PUT" path="/v1/alert-rules/{name}" label="${e.enabled?"Disable":"Enable"} ${e.name}" .run=${()=>this.enable(e)}>${e.enabled?"Disable":"Enable"}</tri-action>`}]} .rows=${d.list("alert_rules")} .rowKey=${e=>e.name}></tri-table>`}async acknowledge(t){await $({heading:`Acknowledge ${t.rule}`,text:"It goes on firing; that somebody looks after it is shown.",action:"Acknowledge",reason:{label:"Note",placeholder:"belt ordered"},run:n=>g(`/v1/alerts/${t.id}/acknowledge`,{by:w(),note:n.reason})})&&m(`${t.rule}: acknowledged`)}async silence(t){const e=t&&t.members.length===1?t.members[0].subject:"*",n=await $({heading:t?`Silence ${t.rule}`:"Silence alerts",text:"Nobody is told of alerts that match; they are shown as silenced. * stands for anything.",action:"Silence",fields:l`<div class="grid">
          <div class="field"><label for="rule">Rule</label><input id="rule" name="rule" required pattern="[A-Za-z0-9_.*@:\\-]+" maxlength="100" value=${t?.rule??"*"} /></div>
          <div class="field"><label for="subject">Subject</label><input id="subject" name="subject" required pattern="[A-Za-z0-9_.*@:\\-]+" maxlength="100" value=${e} /></div>
        </div>
        <div class="field"><label for="for">For</label><select id="for" name="for_s">${F.map(([s,a])=>l`<option value=${s} .selected=${s===3600}>${a}</option>`)}</select></div>`,reason:{label:"Reason",required:!0,placeholder:"maintenance of line A"},run:s=>g("/v1/silences",{rule:s.rule,subject:s.subject,for_s:Number(s.for_s),by:w(),reason:s.reason})});n&&m(`Silenced: ${n.rule} of ${n.subject}`)}async unsilence(t){await $({heading:"End the silence?",text:l`<span class="mono">${t.rule}</span> of <span class="mono">${t.subject}</span>: ${t.reason}`,action:"End silence",run:()=>R(`/v1/silences/${t.id}`)})&&m("The silence is over")}async enable(t){const e=!t.enabled;await $({heading:`${e?"Enable":"Disable"} ${t.name}?`,text:e?"It counts from the leader's next look on.":"Nothing fires by it any more, and what fires now is resolved.",action:e?"Enable":"Disable",danger:!e,run:async()=>{const{name:s,revision:a,shipped:i,...r}=t;await D(`/v1/alert-rules/${encodeURIComponent(s)}`,{...r,enabled:e},{headers:{"If-Match":`"${a}"`}})}})&&m(`${t.name}: ${e?"enabled":"disabled"}`)}};p.styles=[L,P`
      ul.open {
        list-style: none;
      }
      ul.open > li {
        display: grid;
        grid-template-columns: 96px minmax(0, 1fr) max-content;
        gap: var(--space-2) var(--space-4);
        align-items: start;
        padding: var(--space-3) var(--space-4);
        border-top: 1px solid var(--line);
      }
      ul.open > li:first-child {
        border-top: 0;
      }
      ul.open h2 {
        font-size: var(--text-m);
      }
      ul.open p {
        font-size: var(--text-s);
      }
      .who {
        display: flex;
        flex-wrap: wrap;
        gap: 2px var(--space-3);
        margin-top: var(--space-1);
        list-style: none;
        font-size: var(--text-s);
      }
      @media (max-width: 760px) {
        ul.open > li {
          grid-template-columns: minmax(0, 1fr);
        }
      }
    `];f([q({attribute:!1})],p.prototype,"query",2);f([O()],p.prototype,"tab",2);p=f([z("page-alerts")],p);function u(t){return t.until*1e3<=I.now()}function V(t){const{kind:e,values:n,name:s,above:a,below:i,within_s:r,window_s:x}=t.condition,y=a!=null?`above ${v(a)}`:i!=null?`below ${v(i)}`:"",h=t.for_s?` for ${b(t.for_s)}`:"";return e==="state"||e==="health"?`${e} is ${n.join(" or ")}${h}`:e==="trend"?`${s} will be ${y} within ${b(r)}${h}`:e==="increase"?`${s} rises by more than ${v(a??0)} in ${b(x)}${h}`:`${s} ${y}${h}`}export{p as Alerts};
