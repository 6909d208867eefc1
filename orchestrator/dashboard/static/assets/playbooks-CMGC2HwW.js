import{K as C,P as D,C as O,b as i,A as n,s as w,i as x,n as m,a as k,c as j,M as _,r as u,L as M,e as S,N as f,v as N,u as v,B as P,y as K,k as z,p as E}from"./index-DRkjX7RG.js";const U="application/yaml",L={headers:{Accept:"application/json"}};function V(e){return`name: ${e}
description: ""

actions:
  - type: log_event
    message: "${e} begins"
`}async function J(e,t,s){try{return(await C("GET",`/v1/playbooks/${encodeURIComponent(e)}`,{params:{version:t},signal:s,...L})).body}catch(a){if(a instanceof D&&a.status===404&&t===null)return null;throw a}}function I(e,t,s){return O("/v1/playbooks/validate",t,{params:{name:e},type:U,signal:s})}function W(e,t,s,a){const r=s===null?{"If-None-Match":"*"}:{"If-Match":`"${s}"`};return C("PUT",`/v1/playbooks/${encodeURIComponent(e)}`,{params:{who:a},body:t,type:U,headers:r}).then(o=>o.body)}const B=20,b=new Map;function Y(e,t,s){b.delete(e),b.set(e,{text:t,over:s});for(const a of b.keys()){if(b.size<=B)break;b.delete(a)}}function G(e){return b.get(e)}function g(e){b.delete(e)}function F(){return b.size>0}window.addEventListener("beforeunload",e=>{F()&&e.preventDefault()});function R(e){const t=Object.keys(e);if(t.length!==0)return i`${t.map(s=>Z(s,e[s]))}`}function Z(e,t){const s=`input-${e}`,a=t.default===null||t.default===void 0?"":typeof t.default=="string"?t.default:JSON.stringify(t.default),r=t.type==="list"||t.type==="object"||t.type==="any";return i`<div class="field">
    <label for=${s}><code>${e}</code> <span class="hint">${t.type}${t.required?", required":""}</span></label>
    ${t.type==="boolean"?i`<select id=${s} name=${s}>
          ${t.required?n:i`<option value="" .selected=${!0}>default${a?` (${a})`:""}</option>`}
          <option value="true" .selected=${t.default===!0&&t.required}>true</option>
          <option value="false" .selected=${t.default===!1&&t.required}>false</option>
        </select>`:i`<input
          id=${s}
          name=${s}
          autocomplete="off"
          inputmode=${t.type==="number"?"decimal":n}
          ?required=${t.required}
          .value=${t.required?a:""}
          placeholder=${a?`default: ${a}`:r?"JSON":""}
        />`}
    ${t.description?i`<span class="hint">${t.description}</span>`:n}
  </div>`}function T(e,t){const s={};for(const[a,r]of Object.entries(e)){const o=t[`input-${a}`]??"";o!==""&&(s[a]=X(a,r,o))}return s}function X(e,t,s){if(t.type==="string")return s;if(t.type==="boolean")return s==="true";if(t.type==="number"){const a=Number(s.replace(",","."));if(!Number.isFinite(a))throw new Error(`${e}: ${s} is no number`);return a}try{return JSON.parse(s)}catch{if(t.type==="any")return s;throw new Error(`${e}: must be JSON, ${t.type==="list"?'such as ["a", "b"]':'such as {"a": 1}'}`)}}var H=Object.defineProperty,Q=Object.getOwnPropertyDescriptor,A=(e,t,s,a)=>{for(var r=a>1?void 0:a?Q(t,s):t,o=e.length-1,l;o>=0;o--)(l=e[o])&&(r=(a?l(t,s,r):l(r))||r);return a&&r&&H(t,s,r),r};let $=class extends k{render(){return i`<ol aria-label="Steps in order">
      ${this.plan.steps.map(e=>this.step(e))}
    </ol>`}step(e){const t=Object.entries(e.does).filter(([,s])=>s!==null&&s!=="");return i`<li class=${e.runs===!1?"left":""}>
      <span class="path">${e.path}</span>
      <div>
        <div class="row">
          <strong>${e.type}</strong>${e.id?i`<code>${e.id}</code>`:n}
          ${e.runs===!1?i`<tri-badge state="SKIPPED" label="Left out now"></tri-badge>`:n}
          ${e.timeout_s?i`<span class="muted">within ${e.timeout_s} s</span>`:n}
        </div>
        ${t.length?i`<div class="does">${t.map(([s,a],r)=>i`${r?", ":""}${s.replace("_"," ")} <code>${typeof a=="string"?a:JSON.stringify(a)}</code>`)}</div>`:n}
        ${e.when?i`<div class="muted">when <code>${e.when}</code></div>`:n}
        ${e.order?this.order(e.order):e.components?this.order([e.components]):n}
        ${e.problem?i`<div class="problem">${e.problem}</div>`:n}
      </div>
    </li>`}order(e){return i`<div class="row">
      ${e.map((t,s)=>i`${s?i`<span aria-label="then">→</span>`:n}<span class="wave">${t.map(a=>i`<span class="chip">${a}</span>`)}</span>`)}
      ${e.every(t=>t.length===0)?i`<span class="muted">nobody is selected now</span>`:n}
    </div>`}};$.styles=[w,x`
      ol {
        list-style: none;
      }
      li {
        display: grid;
        grid-template-columns: minmax(110px, 170px) minmax(0, 1fr);
        gap: var(--space-1) var(--space-4);
        padding: var(--space-2) var(--space-4);
        border-top: 1px solid var(--line);
        font-size: var(--text-s);
      }
      li.left > div {
        color: var(--ink-3);
      }
      .path {
        font-family: var(--mono);
        color: var(--ink-3);
        overflow-wrap: anywhere;
      }
      .does {
        overflow-wrap: anywhere;
      }
      .wave {
        display: inline-flex;
        flex-wrap: wrap;
        gap: 4px;
        align-items: center;
      }
      .chip {
        padding: 0 7px;
        border: 1px solid var(--line-strong);
        border-radius: 10px;
        font-size: var(--text-xs);
        line-height: 18px;
      }
      .problem {
        color: var(--warn);
      }
      @media (max-width: 620px) {
        li {
          grid-template-columns: minmax(0, 1fr);
        }
      }
    `];A([m({attribute:!1})],$.prototype,"plan",2);$=A([j("tri-plan")],$);var ee=Object.defineProperty,te=Object.getOwnPropertyDescriptor,p=(e,t,s,a)=>{for(var r=a>1?void 0:a?te(t,s):t,o=e.length-1,l;o>=0;o--)(l=e[o])&&(r=(a?l(t,s,r):l(r))||r);return a&&r&&ee(t,s,r),r};let d=class extends k{constructor(){super(...arguments),this.label="Source",this.value="",this.readonly=!1,this.problems=[],this.warnings=[],this.lines=[""]}willUpdate(e){e.has("value")&&(this.lines=this.value.split(`
`))}show(e,t){const s=this.lines.slice(0,e-1).reduce((r,o)=>r+o.length+1,0),a=Math.min(s+t-1,this.value.length);this.area.focus(),this.area.setSelectionRange(a,a),this.area.scrollTop=Math.max(0,(e-4)*20),this.scrolled()}typed(){this.value=this.area.value,this.dispatchEvent(new CustomEvent("typed",{detail:this.value}))}key(e){if(e.key!=="Enter"||this.readonly||e.ctrlKey||e.metaKey||e.altKey)return;const{selectionStart:t,value:s}=this.area,a=s.slice(s.lastIndexOf(`
`,t-1)+1,t),r=/^ */.exec(a)?.[0]??"";r&&(e.preventDefault(),this.area.setRangeText(`
${r}`,t,this.area.selectionEnd,"end"),this.typed())}scrolled(){const{scrollTop:e,scrollLeft:t}=this.area;this.numbers.style.transform=`translateY(${-e}px)`,this.marks.style.transform=`translate(${-t}px, ${-e}px)`}render(){const e=new Set(this.problems.map(a=>a.line)),t=new Set(this.warnings.map(a=>a.line)),s=[...this.problems.map(a=>({...a,tone:"bad"})),...this.warnings.map(a=>({...a,tone:"warn"}))];return i`<div class="frame">
        <div class="gutter" aria-hidden="true">
          <ol>
            ${this.lines.map((a,r)=>i`<li class=${e.has(r+1)?"bad":t.has(r+1)?"warn":""}>${r+1}</li>`)}
          </ol>
        </div>
        <div class="pane">
          <div class="marks" aria-hidden="true">${s.map(a=>this.mark(a))}</div>
          <textarea
            aria-label=${this.label}
            aria-describedby=${s.length?"said":n}
            aria-invalid=${e.size?"true":"false"}
            spellcheck="false"
            autocapitalize="off"
            autocomplete="off"
            wrap="off"
            ?readonly=${this.readonly}
            .value=${this.value}
            @input=${this.typed}
            @keydown=${this.key}
            @scroll=${this.scrolled}
          ></textarea>
        </div>
      </div>
      ${s.length?i`<ul class="said" id="said" aria-label="What is said of the text">
            ${s.map(a=>i`<li>
                <button @click=${()=>this.show(a.line,a.column)}>
                  <tri-badge state=${a.tone==="bad"?"ERROR":"WARNING"} label=${a.tone==="bad"?"Error":"Doubtful"}></tri-badge>
                  <span class="place">${a.line}:${a.column}</span>
                  <span>${a.field?i`<code>${a.field}</code> `:n}${a.message}${a.hint?i` <span class="muted">(${a.hint})</span>`:n}</span>
                </button>
              </li>`)}
          </ul>`:n}`}mark({line:e,column:t,tone:s}){const a=this.lines[e-1]??"",r=/^[^\s,}\]]+/.exec(a.slice(t-1))?.[0].length??1,o=`top:calc(var(--pad) + ${e-1} * var(--line-height));left:calc(var(--pad) + ${t-1}ch);width:${Math.max(1,r)}ch`;return i`<i class=${s} .style=${o}></i>`}};d.styles=[w,x`
      :host {
        display: block;
        min-width: 0;
        --line-height: 20px;
        --pad: 10px;
      }
      .frame {
        display: grid;
        grid-template-columns: max-content minmax(0, 1fr);
        height: var(--source-height, min(62vh, 620px));
        overflow: hidden;
        border-block: 1px solid var(--line);
        background: var(--surface);
        font: 13px / var(--line-height) var(--mono);
      }
      .gutter {
        position: relative;
        overflow: hidden;
        border-right: 1px solid var(--line);
        background: var(--surface-2);
        color: var(--ink-3);
        text-align: right;
        user-select: none;
      }
      .gutter ol {
        margin: 0;
        padding: var(--pad) 8px var(--pad) 22px;
        list-style: none;
        font-variant-numeric: tabular-nums;
      }
      .gutter li {
        position: relative;
        height: var(--line-height);
      }
      .gutter li.bad {
        color: var(--bad);
        font-weight: 700;
      }
      .gutter li.warn {
        color: var(--warn);
        font-weight: 700;
      }
      .gutter li::before {
        position: absolute;
        left: -16px;
      }
      .gutter li.bad::before {
        content: "✖";
      }
      .gutter li.warn::before {
        content: "▲";
      }
      .pane {
        position: relative;
        overflow: hidden;
      }
      textarea {
        position: absolute;
        inset: 0;
        width: 100%;
        height: 100%;
        padding: var(--pad);
        border: 0;
        border-radius: 0;
        background: transparent;
        color: var(--ink);
        font: inherit;
        tab-size: 2;
        white-space: pre;
        overflow: auto;
        resize: none;
      }
      textarea:focus-visible {
        outline-offset: -2px;
      }
      .marks {
        position: absolute;
        top: 0;
        left: 0;
        pointer-events: none;
      }
      .marks i {
        position: absolute;
        height: var(--line-height);
        border-bottom: 2px solid;
        border-radius: 2px;
      }
      .marks i.bad {
        border-color: var(--bad);
        background: var(--bad-soft);
      }
      .marks i.warn {
        border-color: var(--warn);
        background: var(--warn-soft);
      }
      .said {
        max-height: 190px;
        overflow: auto;
        list-style: none;
        font-size: var(--text-s);
      }
      .said li + li {
        border-top: 1px solid var(--line);
      }
      .said button {
        display: grid;
        grid-template-columns: max-content max-content minmax(0, 1fr);
        gap: var(--space-2);
        width: 100%;
        min-height: 32px;
        padding: var(--space-1) var(--space-4);
        border: 0;
        border-radius: 0;
        background: none;
        text-align: left;
        font-weight: 400;
        overflow-wrap: anywhere;
      }
      .said .place {
        font-family: var(--mono);
        color: var(--ink-3);
      }
      @media (max-width: 620px) {
        .said button {
          grid-template-columns: max-content minmax(0, 1fr);
        }
        .said button span:last-child {
          grid-column: 1 / -1;
        }
      }
    `];p([m()],d.prototype,"label",2);p([m()],d.prototype,"value",2);p([m({type:Boolean})],d.prototype,"readonly",2);p([m({attribute:!1})],d.prototype,"problems",2);p([m({attribute:!1})],d.prototype,"warnings",2);p([_("textarea")],d.prototype,"area",2);p([_(".gutter ol")],d.prototype,"numbers",2);p([_(".marks")],d.prototype,"marks",2);p([u()],d.prototype,"lines",2);d=p([j("tri-source")],d);var ae=Object.defineProperty,se=Object.getOwnPropertyDescriptor,c=(e,t,s,a)=>{for(var r=a>1?void 0:a?se(t,s):t,o=e.length-1,l;o>=0;o--)(l=e[o])&&(r=(a?l(t,s,r):l(r))||r);return a&&r&&ae(t,s,r),r};const ie=250;let h=class extends k{constructor(){super(...arguments),this.name="",this.book=null,this.text="",this.over=null,this.judged=null,this.judging=!1,this.loading=!0,this.error=null,this.plan=null,this.asking=null,this.live=new M(this,["playbooks","session"])}willUpdate(e){e.has("name")&&this.load(null)}disconnectedCallback(){super.disconnectedCallback(),clearTimeout(this.timer),this.asking?.abort()}get path(){return`/v1/playbooks/${encodeURIComponent(this.name)}`}get dirty(){return this.book===null||this.text!==this.book.text}get newest(){return this.book?.versions.find(e=>e.current)?.version??this.book?.version??null}async load(e,t=!1){const s=this.name;this.loading=!0,this.error=this.plan=this.judged=null;try{const a=e===null&&!S.rows("playbooks").has(s)?null:await J(s,e);if(s!==this.name)return;t&&g(s);const r=e===null?G(s):void 0;this.book=a,this.over=r?r.over:a?a.versions.find(o=>o.current)?.version??a.version:null,this.text=r?.text??a?.text??V(s),this.judgeSoon(0)}catch(a){this.error=a}finally{this.loading=!1}}typed(e){this.text=e,this.dirty?Y(this.name,e,this.over):g(this.name),this.judgeSoon(ie)}judgeSoon(e){clearTimeout(this.timer),this.asking?.abort(),f.may("POST","/v1/playbooks/validate")&&(this.judging=!0,this.timer=setTimeout(()=>void this.judge(),e))}async judge(){const e=this.asking=new AbortController;try{const t=await I(this.name,this.text,e.signal);e.signal.aborted||(this.judged=t)}catch(t){if(e.signal.aborted)return;this.judged={valid:!1,name:null,problems:[{line:1,column:1,field:"",message:t instanceof Error?t.message:String(t),hint:""}],warnings:[],inputs:{}}}this.asking===e&&(this.judging=!1)}async save(e=this.over){const t=this.text;try{const s=await W(this.name,t,e,f.who?.name??"");g(this.name),N(s.changed?`${this.name}: version ${s.version} is stored`:`${this.name}: nothing was changed, version ${s.version} has this text already`),await this.load(null)}catch(s){if(!(s instanceof D)||s.code!=="precondition_failed")throw s;const a=Number(s.members.version??0);await v({heading:"Somebody else was faster",text:i`Your text was made from ${e===null?"nothing":`version ${e}`}; ${a?`version ${a} is there now`:"it has been deleted meanwhile"}. Nothing was changed.`,action:a?`Store mine over version ${a}`:"Store it as new",danger:!0})?await this.save(a||null):this.over=e}}async inputsOf(){return this.dirty||!this.judged?.valid?I(this.name,this.book?.text??""):this.judged}async planIt(){const{inputs:e}=await this.inputsOf(),t=async a=>{this.plan=await O(`${this.path}/plan`,{inputs:T(e,a)})},s=R(e);if(!s)return t({});await v({heading:`Plan ${this.name}`,text:"What a run would do on the plant as it is now. Nothing moves.",action:"Show the plan",fields:s,run:t})}async runIt(){const{inputs:e}=await this.inputsOf();let t="";await v({heading:`Run ${this.name}`,text:i`Version ${this.newest} runs on the plant.${this.dirty?i` <strong>Your changes are not stored, and do not run.</strong>`:n}`,action:"Run",fields:R(e),run:async a=>{t=(await O(`${this.path}/runs`,{inputs:T(e,a),who:f.who?.name??""})).id}})&&P("executions",t)}async deleteIt(){await v({heading:`Delete ${this.name}?`,text:"Executions that run go on under the version that they have. It can be put again.",action:"Delete",danger:!0,run:()=>K(this.path,this.newest===null?{}:{headers:{"If-Match":`"${this.newest}"`}})})&&(g(this.name),N(`${this.name} is deleted`),P("playbooks"))}render(){if(this.error)return i`<tri-error .error=${this.error} .retry=${()=>this.load(null)}></tri-error>`;if(this.loading&&!this.text)return i`<tri-loading what=${this.name}></tri-loading>`;const e=S.rows("playbooks").get(this.name)?.version,t=this.book!==null&&this.book.version!==this.newest,s=e!==void 0&&!this.loading&&e>(this.newest??0);return i`<div class="stack">
      <div class="row between">
        <div class="row">
          <h1>${this.name}</h1>
          ${this.book?i`<tri-badge tone="idle" state="version ${this.book.version}"></tri-badge>`:i`<tri-badge tone="info" state="new"></tri-badge>`}
          ${this.dirty?i`<tri-badge tone="warn" state="not stored"></tri-badge>`:n}
        </div>
        <div class="row">
          <a class="button" href=${`${z("executions")}?playbook=${encodeURIComponent(this.name)}`}>Executions</a>
          <tri-action kind="danger" method="DELETE" path="/v1/playbooks/{name}" .hinder=${this.book?"":"It is not stored yet."} .run=${()=>this.deleteIt()}>Delete</tri-action>
          <tri-action method="POST" path="/v1/playbooks/{name}/plan" .hinder=${this.book?"":"Store it first."} .run=${()=>this.planIt()}>Plan</tri-action>
          <tri-action kind="primary" method="POST" path="/v1/playbooks/{name}/runs" .hinder=${this.book?"":"Store it first."} .run=${()=>this.runIt()}>Run …</tri-action>
        </div>
      </div>
      ${this.book?.description&&!this.dirty?i`<p class="muted">${this.book.description}</p>`:n}
      ${s?i`<div class="notice" role="status">
            <span>Version ${e} was stored meanwhile; this text was made from ${this.over===null?"nothing":`version ${this.over}`}.</span>
            <button @click=${()=>this.load(null,!0)}>Show version ${e}${this.dirty?", drop mine":""}</button>
          </div>`:n}
      ${t?i`<div class="notice" role="status">
            <span>This is version ${this.book?.version}, not the newest. Stored, its text becomes a new version.</span>
            <button @click=${()=>this.load(null)}>Show the newest</button>
          </div>`:n}
      <section class="card flush" aria-label="Source">
        <div class="bar">
          ${this.book&&this.book.versions.length>1?i`<label for="version">Version</label>
                <select id="version" @change=${a=>this.load(Number(a.target.value))}>
                  ${this.book.versions.map(a=>i`<option value=${a.version} .selected=${a.version===this.book?.version}>${a.version}${a.current?", newest":""}${a.who?`, ${a.who}`:""}</option>`)}
                </select>`:n}
          <span class="room"></span>
          <span role="status" data-judged=${this.judging?"no":"yes"}>${this.verdict()}</span>
          ${this.dirty&&this.book?i`<button class="plain" @click=${()=>this.load(null,!0)}>Drop my changes</button>`:n}
          <tri-action kind="primary" method="PUT" path="/v1/playbooks/{name}" .hinder=${this.hinder()} .run=${()=>this.save()}>Store</tri-action>
        </div>
        <tri-source
          label="Source of ${this.name}"
          .value=${this.text}
          ?readonly=${!f.may("PUT","/v1/playbooks/{name}")}
          .problems=${this.judged?.problems??[]}
          .warnings=${this.judged?.warnings??[]}
          @typed=${a=>this.typed(a.detail)}
        ></tri-source>
      </section>
      ${this.plan?i`<section class="card flush" aria-label="Plan">
            <header>
              <h2>Plan of version ${this.plan.version}</h2>
              <span class="muted small">As the plant was when it was asked for. ${Object.keys(this.plan.inputs).length?i`Inputs <code>${JSON.stringify(this.plan.inputs)}</code>`:n}</span>
              <button class="plain" @click=${()=>this.plan=null}>Close</button>
            </header>
            <tri-plan .plan=${this.plan}></tri-plan>
          </section>`:n}
    </div>`}hinder(){return this.dirty?this.judged&&!this.judged.valid&&!this.judging?"The text has errors.":"":"There is nothing to store."}verdict(){if(!this.judged)return n;if(this.judging)return i`<span class="muted small">Checking …</span>`;const{problems:e,warnings:t}=this.judged;return e.length?i`<tri-badge state="ERROR" label=${E(e.length,"error")}></tri-badge>`:t.length?i`<tri-badge state="WARNING" label=${`valid, ${E(t.length,"doubt")}`}></tri-badge>`:i`<tri-badge state="OK" label="valid"></tri-badge>`}};h.styles=[w,x`
      .bar {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: var(--space-2);
        padding: var(--space-2) var(--space-4);
      }
      .bar .room {
        flex: 1;
      }
      .notice {
        display: flex;
        flex-wrap: wrap;
        gap: var(--space-2) var(--space-4);
        align-items: center;
        padding: var(--space-2) var(--space-4);
        border: 1px solid var(--warn);
        border-radius: var(--radius);
        background: var(--warn-soft);
        color: var(--warn);
        font-size: var(--text-s);
      }
      select {
        max-width: 260px;
      }
    `];c([m()],h.prototype,"name",2);c([u()],h.prototype,"book",2);c([u()],h.prototype,"text",2);c([u()],h.prototype,"over",2);c([u()],h.prototype,"judged",2);c([u()],h.prototype,"judging",2);c([u()],h.prototype,"loading",2);c([u()],h.prototype,"error",2);c([u()],h.prototype,"plan",2);h=c([j("tri-playbook")],h);var re=Object.defineProperty,ne=Object.getOwnPropertyDescriptor,q=(e,t,s,a)=>{for(var r=a>1?void 0:a?ne(t,s):t,o=e.length-1,l;o>=0;o--)(l=e[o])&&(r=(a?l(t,s,r):l(r))||r);return a&&r&&re(t,s,r),r};const oe="[A-Za-z0-9][A-Za-z0-9._\\-]{0,99}",le=[{key:"name",label:"Name",value:e=>e.name,cell:e=>i`<a href=${z("playbooks",e.name)}>${e.name}</a>`,width:"22%"},{key:"description",label:"What it does",value:e=>e.problem||e.description,cell:e=>e.problem?i`<tri-badge state="ERROR" label="unreadable"></tri-badge> ${e.problem}`:i`<span title=${e.description}>${e.description||"–"}</span>`},{key:"triggers",label:"Started by",value:e=>e.triggers.filter(t=>t!=="manual").join(", ")||"by hand",width:"18%",extra:!0},{key:"version",label:"Version",value:e=>e.version,numeric:!0,width:"84px",extra:!0},{key:"time",label:"Changed",value:e=>e.time,cell:e=>i`<tri-time .value=${e.time}></tri-time>`,width:"120px",extra:!0},{key:"who",label:"By",value:e=>e.who||null,width:"100px",extra:!0}];let y=class extends k{constructor(){super(...arguments),this.params={},this.live=new M(this,["playbooks","session"])}async begin(){const e=await v({heading:"New playbook",action:"Write it",fields:i`<div class="field">
        <label for="name">Name</label>
        <input id="name" name="name" required maxlength="100" pattern=${oe} autocomplete="off" aria-describedby="name-hint" />
        <span class="hint" id="name-hint">Letters, digits, _ . and -; nothing is stored yet.</span>
      </div>`});e?.name&&P("playbooks",e.name)}render(){if(this.params.name)return i`<tri-playbook .name=${this.params.name}></tri-playbook>`;const e=S.list("playbooks");return i`<div class="stack">
      <div class="row between">
        <h1>Playbooks</h1>
        <tri-action kind="primary" method="PUT" path="/v1/playbooks/{name}" .run=${()=>this.begin()}>New playbook …</tri-action>
      </div>
      <section class="card flush">
        <tri-table label="Playbooks" searchable sort="name" .columns=${le} .rows=${e} .rowKey=${t=>t.name} empty="No playbooks yet"></tri-table>
      </section>
      ${e.length===0?i`<p class="muted small">The repository's <code>playbooks/</code> holds eight that work on any plant: <code>triarch playbook apply playbooks/</code> stores them.</p>`:n}
    </div>`}};y.styles=[w,x`:host { display: block; }`];q([m({attribute:!1})],y.prototype,"params",2);y=q([j("page-playbooks")],y);export{y as Page};
