import{s as R,i as N,n as C,r as E,a as T,j as p,O as c,b as r,A as s,m as l,d as h,f as y,q as D,c as _,L as M,g as U,e as k,C as G,N as W,v as z,u as S,p as P,k as O}from"./index-DRkjX7RG.js";import{P as J}from"./polled-BU2n1_IC.js";import{i as m,t as w,w as v,d as q}from"./shown-Dvog4kQy.js";var L=Object.defineProperty,Y=Object.getOwnPropertyDescriptor,f=(e,t,n,a)=>{for(var i=a>1?void 0:a?Y(t,n):t,o=e.length-1,d;o>=0;o--)(d=e[o])&&(i=(a?d(t,n,i):d(i))||i);return a&&i&&L(t,n,i),i};let u=class extends T{constructor(){super(...arguments),this.all=!1,this.opened=new Set,this.off=null}connectedCallback(){super.connectedCallback(),this.off=p.everySecond(()=>m(this.execution)&&this.requestUpdate())}disconnectedCallback(){super.disconnectedCallback(),this.off?.()}span(){const{started:e,created:t,ended:n,steps:a}=this.execution,i=c(e??t),o=a.map($=>$.ended?c($.ended):i),d=n?c(n):Math.max(p.now(),...o);return[i,Math.max(d,...o,i+1)]}toggle(e){const t=new Set(this.opened);t.delete(e)||t.add(e),this.opened=t}send(e,t){this.dispatchEvent(new CustomEvent(e,{detail:t}))}render(){const{steps:e}=this.execution;if(e.length===0)return r`<tri-empty heading="No step has begun yet"></tri-empty>`;const[t,n]=this.span(),a=this.all?e:e.slice(-300);return r`<div class="line axis" aria-hidden="true"><div class="ends"><span>${l(t/1e3)}</span><span>${m(this.execution)?"now":l(n/1e3)}</span></div><span class="time">${h((n-t)/1e3)}</span></div>
      ${a.length<e.length?r`<div class="note"><button @click=${()=>this.all=!0}>Show all ${y(e.length)} steps</button> The newest ${y(a.length)} are shown.</div>`:s}
      <ol aria-label="Steps">
        ${D(a,i=>i.path,i=>this.step(i,t,n))}
      </ol>`}step(e,t,n){const a=w(e.status),i=e.started?c(e.started):t,o=e.ended!==null,d=o?c(e.ended):e.status==="RUNNING"||e.status==="RETRYING"?p.now():i,$=Math.min(100,Math.max(0,(i-t)/(n-t)*100)),I=Math.max(0,Math.min(100-$,(d-i)/(n-t)*100)),b=this.opened.has(e.path),A=`${e.status==="RUNNING"&&(e.waiting!==null||e.type==="approve")?"Waiting":v(e.status)}${e.attempt>1?`, attempt ${e.attempt}`:""}`,x=h(Math.max(0,d-i)/1e3);return r`<li data-path=${e.path} data-status=${e.status}>
      <div class="line">
        <div class="name" .style=${`padding-left:${q(e.path)*14}px`}>
          <button class="plain" aria-expanded=${b?"true":"false"} aria-label="More about ${e.path}" @click=${()=>this.toggle(e.path)}>${b?"▾":"▸"}</button>
          <div title=${`${e.type} ${e.path}`}><strong>${e.id||e.type}</strong>${e.id?r` <span class="muted">${e.type}</span>`:s}<br /><span class="path">${e.path}</span></div>
        </div>
        <span><tri-badge tone=${a} state=${e.status} label=${A}></tri-badge></span>
        <div class="track" role="img" aria-label="${v(e.status)}, began ${h((i-t)/1e3)} after the start, ${o?"took":"for"} ${x}">
          <div class="bar ${a} ${o?"":"open"}" .style=${`left:${$}%;width:${I}%`}></div>
        </div>
        <span class="time">${e.started?x:"–"}</span>
      </div>
      ${this.note(e)} ${b?this.more(e):s}
    </li>`}note(e){if(e.retrying){const{n:t,next:n,code:a,error:i}=e.retrying,o=n?(c(n)-p.now())/1e3:null;return r`<div class="note warn" data-note="retrying">
        <span><strong>Attempt ${t} failed</strong>${a?r` (<code>${a}</code>)`:s}: ${i||"no reason was given"}.</span>
        <span>${o===null?"The next attempt has no time yet.":o>0?`Tried again in ${h(Math.ceil(o))}.`:"Tried again any moment."}</span>
      </div>`}if(e.status==="RUNNING"){const t=e.type==="approve";return!e.waiting&&!t?s:r`<div class="note" data-note="waiting">
        <span>${e.waiting?r`Waits: ${e.waiting}`:"Waits for somebody's approval"}${e.deadline?r` <span class="muted">(until ${l(e.deadline)})</span>`:s}</span>
        ${t?r`<tri-action kind="primary" method="POST" path="/v1/executions/{execution_id}/approve" label="Approve ${e.path}" .run=${()=>this.send("approve",e)}>Approve …</tri-action>
              <tri-action kind="danger" method="POST" path="/v1/executions/{execution_id}/reject" label="Reject ${e.path}" .run=${()=>this.send("reject",e)}>Reject …</tri-action>`:s}
      </div>`}return e.error?r`<div class="note ${w(e.status)==="bad"?"bad":""}">${e.code?r`<code>${e.code}</code>`:s}<span>${e.error}</span></div>`:s}more(e){const t=!m(this.execution)&&this.execution.status!=="SUCCEEDED";return r`<div class="more">
      <dl class="facts">
        <dt>Path</dt><dd><code>${e.path}</code></dd>
        <dt>Attempt</dt><dd>${e.attempt}</dd>
        <dt>Began</dt><dd>${l(e.started)}</dd>
        <dt>Ended</dt><dd>${l(e.ended)}</dd>
        ${e.deadline?r`<dt>Deadline</dt><dd>${l(e.deadline)}</dd>`:s}
      </dl>
      ${e.value!==null&&e.value!==void 0?r`<pre tabindex="0" aria-label="Outcome of ${e.path}">${JSON.stringify(e.value,null,2)}</pre>`:s}
      ${t?r`<p class="row"><tri-action method="POST" path="/v1/executions/{execution_id}/retry" label="Retry from ${e.path}" .run=${()=>this.send("retry",e)}>Retry from here …</tri-action></p>`:s}
    </div>`}};u.styles=[R,N`
      :host {
        display: block;
        container-type: inline-size;
      }
      ol {
        list-style: none;
      }
      li {
        border-top: 1px solid var(--line);
      }
      .line {
        display: grid;
        grid-template-columns: minmax(180px, 28%) 152px minmax(80px, 1fr) 84px;
        gap: var(--space-3);
        align-items: center;
        min-height: 38px;
        padding: var(--space-1) var(--space-4);
        font-size: var(--text-s);
      }
      .name {
        display: flex;
        align-items: center;
        gap: var(--space-2);
        min-width: 0;
      }
      .name button {
        flex: none;
        justify-content: center;
        min-width: 24px;
        min-height: 24px;
        padding: 0;
      }
      .name div {
        min-width: 0;
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
      }
      .path {
        font: 11px var(--mono);
        color: var(--ink-3);
      }
      .track {
        position: relative;
        height: 18px;
        border-radius: 3px;
        background: var(--surface-2);
      }
      .bar {
        position: absolute;
        top: 3px;
        bottom: 3px;
        min-width: 3px;
        border-radius: 3px;
      }
      .bar.ok { background: var(--ok); }
      .bar.bad { background: var(--bad); }
      .bar.warn { background: repeating-linear-gradient(-45deg, var(--warn) 0 5px, var(--warn-soft) 5px 9px); outline: 1px solid var(--warn); }
      .bar.info { background: var(--info); }
      .bar.idle { background: var(--line-strong); }
      .bar.open {
        border-top-right-radius: 0;
        border-bottom-right-radius: 0;
      }
      .time {
        text-align: right;
        font-variant-numeric: tabular-nums;
        color: var(--ink-2);
      }
      .note {
        display: flex;
        flex-wrap: wrap;
        gap: var(--space-2) var(--space-3);
        align-items: center;
        padding: 0 var(--space-4) var(--space-2) calc(var(--space-4) + 32px);
        font-size: var(--text-s);
        color: var(--ink-2);
        overflow-wrap: anywhere;
      }
      .note.bad { color: var(--bad); }
      .note.warn { color: var(--warn); }
      .more {
        padding: 0 var(--space-4) var(--space-3) calc(var(--space-4) + 32px);
      }
      pre {
        max-height: 220px;
        margin: var(--space-2) 0 0;
        padding: var(--space-2) var(--space-3);
        overflow: auto;
        border-radius: var(--radius-s);
        background: var(--surface-2);
        font: 12px / 1.5 var(--mono);
        white-space: pre-wrap;
        overflow-wrap: anywhere;
      }
      .line.axis {
        min-height: 26px;
        color: var(--ink-3);
        font-size: var(--text-xs);
      }
      .axis .ends {
        display: flex;
        justify-content: space-between;
        grid-column: 3;
      }
      @container (max-width: 700px) {
        .line {
          grid-template-columns: minmax(0, 1fr) max-content max-content;
          row-gap: var(--space-1);
        }
        .track {
          grid-column: 1 / -1;
          grid-row: 2;
        }
        .axis .ends {
          grid-column: 1 / -1;
        }
        .axis .time {
          display: none;
        }
        .note,
        .more {
          padding-left: var(--space-4);
        }
      }
    `];f([C({attribute:!1})],u.prototype,"execution",2);f([E()],u.prototype,"all",2);f([E()],u.prototype,"opened",2);u=f([_("tri-steps")],u);var V=Object.defineProperty,B=Object.getOwnPropertyDescriptor,j=(e,t,n,a)=>{for(var i=a>1?void 0:a?B(t,n):t,o=e.length-1,d;o>=0;o--)(d=e[o])&&(i=(a?d(t,n,i):d(i))||i);return a&&i&&V(t,n,i),i};const F=2e3;let g=class extends T{constructor(){super(...arguments),this.params={},this.live=new M(this,["session"]),this.polled=new J(this,e=>U(this.path,void 0,{signal:e}),F),this.off=[]}connectedCallback(){super.connectedCallback(),this.off=[p.everySecond(()=>this.requestUpdate()),k.on(["executions"],()=>this.changed())]}disconnectedCallback(){super.disconnectedCallback(),this.off.forEach(e=>e())}willUpdate(e){e.has("params")&&e.get("params")!==void 0&&e.get("params").id!==this.params.id&&this.polled.restart()}get path(){return`/v1/executions/${encodeURIComponent(this.params.id??"")}`}changed(){const e=k.rows("executions").get(this.params.id??"");e&&e.revision>(this.polled.value?.revision??0)&&this.polled.refresh()}async control(e,t,n){const a=await G(`${this.path}/${e}`,{who:W.who?.name??"",...t});z(`${n}: ${v(a.status)}`),this.polled.refresh()}confirm(e,t,n,a,i={}){return S({heading:t,text:n,action:a,danger:i.danger,reason:{label:"Why",max:1e3},fields:i.force?r`<label class="row"><input type="checkbox" name="force" /> At once: neither what it is about nor its <code>finally</code> is waited for</label>`:void 0,run:o=>this.control(e,{...i.body,comment:o.reason??"",...o.force?{force:!0}:{}},t.replace(/\?$/,""))})}signal(){return S({heading:"Send a signal",text:"It is kept until a step that waits for it takes it.",action:"Send",fields:r`<div class="field"><label for="signal">Name</label><input id="signal" name="signal" required maxlength="64" autocomplete="off" /></div>
        <div class="field"><label for="value">Value <span class="hint">JSON, optional</span></label><input id="value" name="value" autocomplete="off" /></div>`,run:async e=>{let t=null;try{t=e.value?JSON.parse(e.value):null}catch{throw new Error('The value must be JSON, such as "T4" or {"a": 1}')}await this.control("signal",{name:e.signal,value:t},`Signal ${e.signal} is sent`)}})}render(){const e=this.polled.value;if(!e)return r`<div class="stack"><h1>${this.params.id}</h1>${this.polled.error?r`<tri-error .error=${this.polled.error} .retry=${()=>this.polled.refresh()}></tri-error>`:r`<tri-loading what="the execution"></tri-loading>`}</div>`;const t=m(e),n=e.steps.filter(a=>a.status==="RETRYING");return r`<div class="stack">
      <div class="row between">
        <div class="row">
          <h1>${e.playbook}</h1>
          <tri-badge tone=${w(e.status)} state=${e.status} label=${v(e.status)} data-role="status"></tri-badge>
          ${t&&n.length?r`<tri-badge tone="warn" state="RETRYING" label="${P(n.length,"step")} retrying"></tri-badge>`:s}
          ${t&&e.cancel?r`<tri-badge tone="warn" state="CANCELLING" label="being cancelled"></tri-badge>`:s}
        </div>
        <div class="row">${this.actions(e,t)}</div>
      </div>
      ${this.polled.error?r`<tri-error .error=${this.polled.error} .retry=${()=>this.polled.refresh()}></tri-error><p class="muted small">What is shown is ${h(Math.round(this.polled.age))} old.</p>`:s}
      ${e.error?r`<p class="why">${e.code?r`<code>${e.code}</code> `:s}${e.error}</p>`:s}
      <div class="stack wide">
        <section class="card flush" aria-label="Steps">
          <header><h2>Steps</h2><span class="muted small">${P(e.steps.length,"step")} begun</span></header>
          <tri-steps
            .execution=${e}
            @approve=${a=>this.confirm("approve",`Approve ${a.detail.id||a.detail.path}?`,"The step succeeds, and what comes after it begins.","Approve",{body:{path:a.detail.path}})}
            @reject=${a=>this.confirm("reject",`Reject ${a.detail.id||a.detail.path}?`,"The step fails.","Reject",{danger:!0,body:{path:a.detail.path}})}
            @retry=${a=>this.confirm("retry","Retry from here?",`What was done before ${a.detail.path} stays done; it and what came after it are done anew.`,"Retry",{body:{path:a.detail.path}})}
          ></tri-steps>
        </section>
        <div class="stack">
          <section class="card" aria-label="Facts">
            <dl class="facts">
              <dt>Execution</dt><dd><code>${e.id}</code></dd>
              <dt>Playbook</dt><dd><a href=${O("playbooks",e.playbook)}>${e.playbook}</a>, version ${e.version}</dd>
              <dt>Began</dt><dd>${l(e.started??e.created)}</dd>
              <dt>${t?"For":"Took"}</dt><dd class="num">${h(e.duration_s??(e.started?(p.now()-c(e.started))/1e3:null))}</dd>
              ${e.ended?r`<dt>Ended</dt><dd>${l(e.ended)}</dd>`:s}
              ${t&&e.deadline?r`<dt>Deadline</dt><dd>${l(e.deadline)}</dd>`:s}
              ${e.paused_at?r`<dt>Paused</dt><dd>${l(e.paused_at)}</dd>`:s}
              <dt>Started by</dt><dd>${String(e.trigger?.type??"–")}${e.who?`, ${e.who}`:""}</dd>
              ${e.parent?r`<dt>Part of</dt><dd><a href=${O("executions",e.parent.execution)}>${e.parent.execution}</a> <code>${e.parent.path}</code></dd>`:s}
              <dt>Priority</dt><dd>${e.priority}</dd>
              <dt>Revision</dt><dd class="num">${e.revision}</dd>
            </dl>
          </section>
          ${this.data("Inputs",e.inputs)} ${this.data("Variables",e.variables)} ${this.data("Signals that wait",e.signals)}
          ${e.approvals.length?r`<section class="card" aria-label="Approvals">
                <h3>Approvals</h3>
                <dl class="facts">
                  ${e.approvals.map(a=>r`<dt><code>${a.path}</code></dt><dd>${a.approved?"approved":"rejected"}${a.who?` by ${a.who}`:""}${a.comment?`: ${a.comment}`:""}</dd>`)}
                </dl>
              </section>`:s}
        </div>
      </div>
    </div>`}actions(e,t){const n=a=>`/v1/executions/{execution_id}/${a}`;return t?r`${e.status==="PAUSED"?r`<tri-action kind="primary" method="POST" path=${n("resume")} .run=${()=>this.confirm("resume","Resume?","All deadlines are later by the length of the pause.","Resume")}>Resume …</tri-action>`:r`<tri-action method="POST" path=${n("pause")} .hinder=${e.status==="RUNNING"?"":"It has not begun."} .run=${()=>this.confirm("pause","Pause?","No further step begins. What a step has begun outside goes on; deadlines wait.","Pause")}>Pause …</tri-action>`}
      <tri-action method="POST" path=${n("signal")} .run=${()=>this.signal()}>Signal …</tri-action>
      <tri-action kind="danger" method="POST" path=${n("cancel")} .run=${()=>this.confirm("cancel","Cancel?","Open steps are given up, then its finally runs, and it ends as cancelled.","Cancel it",{danger:!0,force:!0})}>Cancel …</tri-action>`:r`<tri-action kind="primary" method="POST" path=${n("retry")} .hinder=${e.status==="SUCCEEDED"?"It has succeeded: there is nothing to try again.":""} .run=${()=>this.confirm("retry","Retry the execution?","It goes on from the first step that failed; what was done before it stays done.","Retry")}>Retry …</tri-action>`}data(e,t){return Object.keys(t??{}).length===0?s:r`<section class="card" aria-label=${e}><h3>${e}</h3><pre tabindex="0" aria-label=${e}>${JSON.stringify(t,null,2)}</pre></section>`}};g.styles=[R,N`
      :host {
        display: block;
      }
      dd a {
        text-decoration: underline;
      }
      .wide {
        grid-template-columns: minmax(0, 1fr);
      }
      @media (min-width: 1100px) {
        .wide {
          grid-template-columns: minmax(0, 1fr) 320px;
        }
      }
      pre {
        max-height: 200px;
        margin: 0;
        overflow: auto;
        font: 12px / 1.5 var(--mono);
        white-space: pre-wrap;
        overflow-wrap: anywhere;
      }
      .why {
        padding: var(--space-3) var(--space-4);
        border: 1px solid var(--bad);
        border-radius: var(--radius);
        background: var(--bad-soft);
        color: var(--bad);
        font-size: var(--text-s);
        overflow-wrap: anywhere;
      }
    `];j([C({attribute:!1})],g.prototype,"params",2);g=j([_("page-execution")],g);export{g as Page};
