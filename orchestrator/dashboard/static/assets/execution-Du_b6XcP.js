import{k as R,l as C,m as N,o as E,i as T,C as p,I as c,b as r,A as s,D as l,d as h,z as y,J as A,q as _,L as D,g as M,s as k,c as U,G,t as z,a as S,v as P,j as O}from"./index-BXCUXoRI.js";import{P as J}from"./polled-BU2n1_IC.js";import{i as m,t as w,d as W,w as v}from"./shown-Bjcu1f6m.js";var q=Object.defineProperty,L=Object.getOwnPropertyDescriptor,f=(e,t,i,a)=>{for(var n=a>1?void 0:a?L(t,i):t,o=e.length-1,d;o>=0;o--)(d=e[o])&&(n=(a?d(t,i,n):d(n))||n);return a&&n&&q(t,i,n),n};let u=class extends T{constructor(){super(...arguments),this.all=!1,this.opened=new Set,this.off=null}connectedCallback(){super.connectedCallback(),this.off=p.everySecond(()=>m(this.execution)&&this.requestUpdate())}disconnectedCallback(){super.disconnectedCallback(),this.off?.()}span(){const{started:e,created:t,ended:i,steps:a}=this.execution,n=c(e??t),o=a.map($=>$.ended?c($.ended):n),d=i?c(i):Math.max(p.now(),...o);return[n,Math.max(d,...o,n+1)]}toggle(e){const t=new Set(this.opened);t.delete(e)||t.add(e),this.opened=t}send(e,t){this.dispatchEvent(new CustomEvent(e,{detail:t}))}render(){const{steps:e}=this.execution;if(e.length===0)return r`<tri-empty heading="No step has begun yet"></tri-empty>`;const[t,i]=this.span(),a=this.all?e:e.slice(-300);return r`<div class="axis" aria-hidden="true"><span>${l(t/1e3)}</span><span>${h((i-t)/1e3)}</span><span>${m(this.execution)?"now":l(i/1e3)}</span></div>
      ${a.length<e.length?r`<div class="note"><button @click=${()=>this.all=!0}>Show all ${y(e.length)} steps</button> The newest ${y(a.length)} are shown.</div>`:s}
      <ol aria-label="Steps">
        ${A(a,n=>n.path,n=>this.step(n,t,i))}
      </ol>`}step(e,t,i){const a=w(e.status),n=e.started?c(e.started):t,o=e.ended!==null,d=o?c(e.ended):e.status==="RUNNING"||e.status==="RETRYING"?p.now():n,$=Math.min(100,Math.max(0,(n-t)/(i-t)*100)),I=Math.max(0,Math.min(100-$,(d-n)/(i-t)*100)),b=this.opened.has(e.path),x=h(Math.max(0,d-n)/1e3);return r`<li data-path=${e.path} data-status=${e.status}>
      <div class="line">
        <div class="name" .style=${`padding-left:${W(e.path)*14}px`}>
          <button class="plain" aria-expanded=${b?"true":"false"} aria-label="More about ${e.path}" @click=${()=>this.toggle(e.path)}>${b?"▾":"▸"}</button>
          <div title=${`${e.type} ${e.path}`}><strong>${e.id||e.type}</strong>${e.id?r` <span class="muted">${e.type}</span>`:s}<br /><span class="path">${e.path}</span></div>
        </div>
        <span><tri-badge tone=${a} state=${e.status} label=${e.attempt>1?`${v(e.status)} · ${e.attempt}`:v(e.status)} title=${e.attempt>1?`attempt ${e.attempt}`:s}></tri-badge></span>
        <div class="track" role="img" aria-label="${v(e.status)}, began ${h((n-t)/1e3)} after the start, ${o?"took":"for"} ${x}">
          <div class="bar ${a} ${o?"":"open"}" .style=${`left:${$}%;width:${I}%`}></div>
        </div>
        <span class="time">${e.started?x:"–"}</span>
      </div>
      ${this.note(e)} ${b?this.more(e):s}
    </li>`}note(e){if(e.retrying){const{n:t,next:i,code:a,error:n}=e.retrying,o=i?(c(i)-p.now())/1e3:null;return r`<div class="note warn" data-note="retrying">
        <span><strong>Attempt ${t} failed</strong>${a?r` (<code>${a}</code>)`:s}: ${n||"no reason was given"}.</span>
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
    </div>`}};u.styles=[R,C`
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
        grid-template-columns: minmax(180px, 30%) 128px minmax(80px, 1fr) 84px;
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
      .axis {
        display: flex;
        justify-content: space-between;
        padding: var(--space-1) var(--space-4);
        color: var(--ink-3);
        font-size: var(--text-xs);
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
        .note,
        .more {
          padding-left: var(--space-4);
        }
      }
    `];f([N({attribute:!1})],u.prototype,"execution",2);f([E()],u.prototype,"all",2);f([E()],u.prototype,"opened",2);u=f([_("tri-steps")],u);var Y=Object.defineProperty,V=Object.getOwnPropertyDescriptor,j=(e,t,i,a)=>{for(var n=a>1?void 0:a?V(t,i):t,o=e.length-1,d;o>=0;o--)(d=e[o])&&(n=(a?d(t,i,n):d(n))||n);return a&&n&&Y(t,i,n),n};const B=2e3;let g=class extends T{constructor(){super(...arguments),this.params={},this.live=new D(this,["session"]),this.polled=new J(this,e=>M(this.path,void 0,{signal:e}),B),this.off=[]}connectedCallback(){super.connectedCallback(),this.off=[p.everySecond(()=>this.requestUpdate()),k.on(["executions"],()=>this.changed())]}disconnectedCallback(){super.disconnectedCallback(),this.off.forEach(e=>e())}willUpdate(e){e.has("params")&&e.get("params")!==void 0&&e.get("params").id!==this.params.id&&this.polled.restart()}get path(){return`/v1/executions/${encodeURIComponent(this.params.id??"")}`}changed(){const e=k.rows("executions").get(this.params.id??"");e&&e.revision>(this.polled.value?.revision??0)&&this.polled.refresh()}async control(e,t,i){const a=await U(`${this.path}/${e}`,{who:G.who?.name??"",...t});z(`${i}: ${v(a.status)}`),this.polled.refresh()}confirm(e,t,i,a,n={}){return S({heading:t,text:i,action:a,danger:n.danger,reason:{label:"Why",max:1e3},fields:n.force?r`<label class="row"><input type="checkbox" name="force" /> At once: neither what it is about nor its <code>finally</code> is waited for</label>`:void 0,run:o=>this.control(e,{...n.body,comment:o.reason??"",...o.force?{force:!0}:{}},t.replace(/\?$/,""))})}signal(){return S({heading:"Send a signal",text:"It is kept until a step that waits for it takes it.",action:"Send",fields:r`<div class="field"><label for="signal">Name</label><input id="signal" name="signal" required maxlength="64" autocomplete="off" /></div>
        <div class="field"><label for="value">Value <span class="hint">JSON, optional</span></label><input id="value" name="value" autocomplete="off" /></div>`,run:async e=>{let t=null;try{t=e.value?JSON.parse(e.value):null}catch{throw new Error('The value must be JSON, such as "T4" or {"a": 1}')}await this.control("signal",{name:e.signal,value:t},`Signal ${e.signal} is sent`)}})}render(){const e=this.polled.value;if(!e)return this.polled.error?r`<tri-error .error=${this.polled.error} .retry=${()=>this.polled.refresh()}></tri-error>`:r`<tri-loading what="the execution"></tri-loading>`;const t=m(e),i=e.steps.filter(a=>a.status==="RETRYING");return r`<div class="stack">
      <div class="row between">
        <div class="row">
          <h1>${e.playbook}</h1>
          <tri-badge tone=${w(e.status)} state=${e.status} label=${v(e.status)} data-role="status"></tri-badge>
          ${t&&i.length?r`<tri-badge tone="warn" state="RETRYING" label="${P(i.length,"step")} retrying"></tri-badge>`:s}
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
    </div>`}actions(e,t){const i=a=>`/v1/executions/{execution_id}/${a}`;return t?r`${e.status==="PAUSED"?r`<tri-action kind="primary" method="POST" path=${i("resume")} .run=${()=>this.confirm("resume","Resume?","All deadlines are later by the length of the pause.","Resume")}>Resume …</tri-action>`:r`<tri-action method="POST" path=${i("pause")} .hinder=${e.status==="RUNNING"?"":"It has not begun."} .run=${()=>this.confirm("pause","Pause?","No further step begins. What a step has begun outside goes on; deadlines wait.","Pause")}>Pause …</tri-action>`}
      <tri-action method="POST" path=${i("signal")} .run=${()=>this.signal()}>Signal …</tri-action>
      <tri-action kind="danger" method="POST" path=${i("cancel")} .run=${()=>this.confirm("cancel","Cancel?","Open steps are given up, then its finally runs, and it ends as cancelled.","Cancel it",{danger:!0,force:!0})}>Cancel …</tri-action>`:r`<tri-action kind="primary" method="POST" path=${i("retry")} .hinder=${e.status==="SUCCEEDED"?"It has succeeded: there is nothing to try again.":""} .run=${()=>this.confirm("retry","Retry the execution?","It goes on from the first step that failed; what was done before it stays done.","Retry")}>Retry …</tri-action>`}data(e,t){return Object.keys(t??{}).length===0?s:r`<section class="card" aria-label=${e}><h3>${e}</h3><pre tabindex="0" aria-label=${e}>${JSON.stringify(t,null,2)}</pre></section>`}};g.styles=[R,C`
      :host {
        display: block;
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
    `];j([N({attribute:!1})],g.prototype,"params",2);g=j([_("page-execution")],g);export{g as Page};
