import{a as h,g as u,b as e,A as s,k as c,m as p,s as v,i as f,n as g,c as b}from"./index-DRkjX7RG.js";import{P as y}from"./polled-BU2n1_IC.js";var w=Object.defineProperty,_=Object.getOwnPropertyDescriptor,$=(a,t,i,r)=>{for(var d=r>1?void 0:r?_(t,i):t,n=a.length-1,l;n>=0;n--)(l=a[n])&&(d=(r?l(t,i,d):l(d))||d);return r&&d&&w(t,i,d),d};const x=2e3,m={settled:"ok",dead:"bad",lost:"bad",dropped:"warn",retry:"warn",in_flight:"info",dispatched:"info",received:"idle",replayed:"warn"};let o=class extends h{constructor(){super(...arguments),this.params={},this.polled=new y(this,a=>this.ask(a),x)}async ask(a){const t=this.polled.value;return t&&["settled","dropped","ended"].includes(t.status)?t:u(`/v1/frames/trace/${encodeURIComponent(this.params.id??"")}`,void 0,{signal:a})}willUpdate(a){const t=a.get("params");t&&t.id!==this.params.id&&this.hasUpdated&&this.polled.restart()}render(){const a=this.polled.value,t=this.params.id??"";if(!a)return e`<div class="stack"><h1>${t}</h1>${this.polled.error?e`<tri-error .error=${this.polled.error} .retry=${()=>this.polled.refresh()}></tri-error>`:e`<tri-loading what="the story"></tri-loading>`}</div>`;const i=a.received_ms??a.steps[0]?.at_ms??null;return e`<div class="stack">
      <div class="row between">
        <div class="row"><h1>${a.frame_id??t}</h1><tri-badge tone=${m[a.status]??"idle"} state=${a.status.replace("_"," ")}></tri-badge></div>
        <div class="row">
          ${a.sequence>0?e`<a class="button" href=${c("frames","frame",`${a.camera_id}:${a.sequence-1}`)}>Frame before</a>`:s}
          <a class="button" href=${c("frames","frame",`${a.camera_id}:${a.sequence+1}`)}>Next frame</a>
        </div>
      </div>
      <section class="card" aria-label="Facts">
        <dl class="facts">
          <dt>Camera</dt><dd><a href=${c("frames","camera",a.camera_id)}>${a.camera_id}</a>, sequence ${a.sequence}</dd>
          <dt>Asks for</dt><dd>${a.capability||"–"}${a.priority===null?"":`, priority ${a.priority}`}${a.parts>1?`, ${a.parts} parts`:""}</dd>
          <dt>Received</dt><dd>${i===null?"no longer kept":p(i/1e3)}</dd>
          ${a.trace_id?e`<dt>Trace</dt><dd><code>${a.trace_id}</code></dd>`:s}
        </dl>
      </section>
      <section class="card flush" aria-label="Story">
        <header><h2>What became of it</h2></header>
        <ol>
          ${a.steps.map(r=>e`<li data-what=${r.what}>
            <span class="after">${i===null?p(r.at_ms/1e3):`+${r.at_ms-i} ms`}</span>
            <span><tri-badge tone=${m[r.what]??"idle"} state=${r.what}></tri-badge></span>
            <div>${this.told(r)}</div>
          </li>`)}
          ${a.waits.map(r=>e`<li data-what="waits">
            <span class="after">now</span>
            <span><tri-badge tone="info" state="waits"></tri-badge></span>
            <div>in <code>${r.place}</code> since ${p(r.since_ms/1e3)}${r.consumer?e`, in hand of <code>${r.consumer}</code> for ${r.idle_ms} ms`:s}</div>
          </li>`)}
        </ol>
        ${a.steps.length+a.waits.length===0?e`<tri-empty heading="Nothing of its way is kept any more">The ledger says: ${a.status.replace("_"," ")}.</tri-empty>`:s}
      </section>
      ${a.unkept.length?e`<p class="muted small">Not kept: ${a.unkept.join("; ")}.</p>`:s}
    </div>`}told(a){const t=a.attempts===void 0||a.what==="received"?0:a.what==="settled"?a.attempts+1:a.attempts,i=t?e`attempt ${t}`:s;return a.what==="received"?e`asks for <code>${a.capability||"–"}</code>${a.priority===void 0?s:e`, priority ${a.priority}`}`:a.what==="dispatched"?e`to <strong>${a.processor_id}</strong>${a.attempts===void 0?s:e`, attempt ${a.attempts+1}`}, by ${a.node||"a producer, by the leader's table"}${a.epoch?e` (epoch ${a.epoch})`:s}${a.strategy?e`, ${a.strategy.replaceAll("_"," ")}`:s}${a.outstanding===void 0?s:e`; it had ${a.outstanding} then`}
        ${a.candidates?.length?e`<div class="candidates" role="group" aria-label="Candidates and their load">${a.candidates.map(r=>this.candidate(r,a))}</div>`:s}`:e`${a.processor_id?e`by <strong>${a.processor_id}</strong>`:s}${a.processor_id&&t?", ":s}${i}${a.reason?e`${a.processor_id||t?": ":s}${a.reason}`:s}
      ${a.result!==void 0&&a.result!==null?e`<pre tabindex="0" aria-label="Result">${JSON.stringify(a.result,null,2)}</pre>`:s}`}candidate(a,t){const i=String(a.processor_id??a.id??"?"),r=a.outstanding??a.held??a.load,d=i===t.processor_id;return e`<span class="candidate ${d?"chosen":""}">${i} ${r===void 0?"":String(r)}${a.capacity===void 0?"":`/${String(a.capacity)}`}${d?" ✓":""}</span>`}};o.styles=[v,f`
      :host {
        display: block;
      }
      dd a {
        text-decoration: underline;
      }
      ol {
        list-style: none;
      }
      li {
        display: grid;
        grid-template-columns: 92px 116px minmax(0, 1fr);
        gap: var(--space-1) var(--space-3);
        padding: var(--space-3) var(--space-4);
        border-top: 1px solid var(--line);
        font-size: var(--text-s);
      }
      .after {
        text-align: right;
        font-variant-numeric: tabular-nums;
        color: var(--ink-2);
      }
      .candidates {
        display: flex;
        flex-wrap: wrap;
        gap: 4px;
        margin-top: 4px;
      }
      .candidate {
        padding: 0 7px;
        border: 1px solid var(--line-strong);
        border-radius: 10px;
        font-size: var(--text-xs);
        line-height: 18px;
      }
      .candidate.chosen {
        border-color: var(--accent);
        background: var(--accent-soft);
        color: var(--accent);
        font-weight: 600;
      }
      pre {
        max-height: 200px;
        margin: var(--space-1) 0 0;
        padding: var(--space-2) var(--space-3);
        overflow: auto;
        border-radius: var(--radius-s);
        background: var(--surface-2);
        font: 12px / 1.5 var(--mono);
        white-space: pre-wrap;
        overflow-wrap: anywhere;
      }
      @media (max-width: 620px) {
        li {
          grid-template-columns: max-content minmax(0, 1fr);
        }
        li > div:last-child {
          grid-column: 1 / -1;
        }
      }
    `];$([g({attribute:!1})],o.prototype,"params",2);o=$([b("page-frame")],o);export{o as Page};
