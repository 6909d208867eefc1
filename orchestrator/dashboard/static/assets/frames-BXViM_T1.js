import{l as x,m as _,i as k,g as b,b as l,A as p,e as v,k as P,z as c,u as E,L as j,s as R,v as C,H as M,j as L,o as N}from"./index-B9RviuEs.js";import"./chart-CvLMIJaH.js";import{P as O}from"./polled-BU2n1_IC.js";import{P as A}from"./dead-DKN3dvSW.js";const q=600,z=5;class I{constructor(){this.points=[],this.last=null}add(s,t){const a={at:s.server_ms/1e3,published:0,settled:0,ended:0};for(const d of Object.values(s.cameras))a.published+=d.published,a.settled+=d.settled,a.ended+=d.dead+d.dropped;const r=this.last;if(r&&a.at<=r.at){a.at<r.at&&(this.last=null);return}this.last=a;const n=Object.values(s.ready).reduce((d,m)=>d+m.length,0),o=Object.values(s.lanes).reduce((d,m)=>d+m,0),u=r?a.at-r.at:0,h=r!==null&&u<=z,i=(d,m)=>h?Math.max(0,(d-m)/u):null;r&&!h&&this.push({at:a.at-.001,published:null,settled:null,ended:null,inFlight:null,waiting:null,p50:null,p95:null,p99:null}),this.push({at:a.at,published:i(a.published,r?.published??0),settled:i(a.settled,r?.settled??0),ended:i(a.ended,r?.ended??0),inFlight:s.capture_len+o+n,waiting:o+s.capture_len,p50:t?.p50_ms??null,p95:t?.p95_ms??null,p99:t?.p99_ms??null})}get newest(){return this.points[this.points.length-1]??null}lately(s,t=3){const a=this.points.slice(-t).map(r=>r[s]).filter(r=>r!==null);return a.length?a.reduce((r,n)=>r+n,0)/a.length:null}push(s){this.points.push(s),this.points.length>q&&this.points.splice(0,this.points.length-q)}}const $=new I;var T=Object.getOwnPropertyDescriptor,U=(e,s,t,a)=>{for(var r=a>1?void 0:a?T(s,t):s,n=e.length-1,o;n>=0;n--)(o=e[n])&&(r=o(r)||r);return r};const H=5e3,S=50;let y=class extends k{constructor(){super(...arguments),this.polled=new O(this,e=>b("/v1/frames/ledger",void 0,{signal:e}),H)}render(){const e=this.polled.value;if(!e)return this.polled.error?l`<tri-error .error=${this.polled.error} .retry=${()=>this.polled.refresh()}></tri-error>`:l`<tri-loading what="the ledger"></tri-loading>`;const s=(a,r)=>l`<span class="part"><strong class="figure" data-sum=${r}>${c(a)}</strong><span>${r}</span></span>`,t=[...e.lost_frames,...e.duplicate_frames].slice(0,S);return l`<div class="stack">
      ${this.polled.error?l`<tri-error .error=${this.polled.error}></tri-error>`:p}
      <div class="row between">
        <tri-badge tone=${e.ledger_ok?"ok":"bad"} state=${e.ledger_ok?"EXACT":"NOT EXACT"} label=${e.ledger_ok?"Exact: no frame is lost or there twice":"It does not add up"}></tri-badge>
        <span class="row"><span class="muted small">Verified ${this.polled.age<1?"just now":`${v(Math.round(this.polled.age))} ago`}</span><button @click=${()=>this.polled.refresh()}>Verify now</button></span>
      </div>
      <div class="sum" role="group" aria-label="published = settled + dead + dropped + in flight${e.lost?" + lost":""}">
        ${s(e.published,"published")}<span class="sign" aria-hidden="true">=</span>${s(e.settled,"settled")}<span class="sign" aria-hidden="true">+</span>${s(e.dead,"dead")}<span class="sign" aria-hidden="true">+</span>${s(e.dropped,"dropped")}<span class="sign" aria-hidden="true">+</span>${s(e.in_flight,"in flight")}
        ${e.lost?l`<span class="sign" aria-hidden="true">+</span>${s(e.lost,"lost")}`:p}
      </div>
      ${e.problems.map(a=>l`<p class="problem small">${a}</p>`)}
      ${t.length?l`<ul class="named" tabindex="0" aria-label="Frames that break the ledger">
            ${t.map(a=>l`<li><a href=${P("frames","frame",`${a.camera_id}:${a.sequence}`)}>${a.camera_id}:${a.sequence}</a> ${a.reason.replaceAll("_"," ")}</li>`)}
          </ul>`:p}
      ${e.stuck?l`<div><h2>${c(e.stuck)} under way for more than a minute</h2>
            <ul class="named" tabindex="0" aria-label="Frames that are under way for long">
              ${e.stuck_frames.slice(0,S).map(a=>l`<li><a href=${P("frames","frame",`${a.camera_id}:${a.sequence}`)}>${a.camera_id}:${a.sequence}</a> in <code>${a.place}</code> for ${v(a.age_s)}</li>`)}
            </ul></div>`:p}
    </div>`}};y.styles=[x,_`
      :host {
        display: block;
      }
      .sum {
        display: flex;
        flex-wrap: wrap;
        align-items: baseline;
        gap: var(--space-2) var(--space-3);
      }
      .part {
        display: grid;
      }
      .part span:last-child {
        font-size: var(--text-xs);
        color: var(--ink-3);
      }
      .sign {
        font-size: var(--text-xl);
        color: var(--ink-3);
      }
      ul.named {
        max-height: 220px;
        overflow: auto;
        padding-left: var(--space-4);
        font-size: var(--text-s);
      }
      h2 {
        font-size: var(--text-m);
      }
      li a {
        text-decoration: underline;
      }
      .problem {
        color: var(--bad);
        overflow-wrap: anywhere;
      }
    `];y=U([E("tri-ledger")],y);var Q=Object.getOwnPropertyDescriptor,V=(e,s,t,a)=>{for(var r=a>1?void 0:a?Q(s,t):s,n=e.length-1,o;n>=0;n--)(o=e[n])&&(r=o(r)||r);return r};const Y=1e3,X={capture:"Capture",lane:"Lane",ready:"Queue"};let w=class extends k{constructor(){super(...arguments),this.polled=new O(this,e=>b("/v1/frames/lag",void 0,{signal:e}),Y),this.live=new j(this,["processors"])}rows(){const e=R.rows("processors");return(this.polled.value??[]).map(s=>{const t=s.place.split("/").pop()??"",[a="",...r]=t.split(":"),n=r.join(":");return{...s,kind:a,name:n,processor:a==="ready"?e.get(n)??null:null}})}columns(e){const s={capture:0,lane:1,ready:2};return[{key:"kind",label:"Place",value:t=>s[t.kind]??3,cell:t=>l`${X[t.kind]??t.kind}`,width:"92px"},{key:"name",label:"Of",value:t=>t.name||"all cameras",cell:t=>l`<code>${t.name||"all cameras"}</code>`},{key:"health",label:"State",value:t=>D(t),cell:t=>t.processor||t.kind==="ready"?l`<tri-badge state=${D(t)} title=${t.processor?.reason??""}></tri-badge>`:"–",width:"128px",extra:!0},{key:"length",label:"Frames",value:t=>t.length,cell:t=>c(t.length),numeric:!0,width:"84px"},{key:"bar",label:"Filled",value:t=>t.length,cell:t=>l`<meter min="0" max=${t.processor?.capacity??e} value=${t.length} aria-label="${t.length} of ${t.processor?.capacity??e}"></meter>`,width:"16%",extra:!0,sortable:!1},{key:"pending",label:"In hand",value:t=>t.pending,cell:t=>c(t.pending),numeric:!0,width:"84px",extra:!0},{key:"oldest",label:"Oldest",value:t=>t.oldest_s,cell:t=>v(t.oldest_s),numeric:!0,width:"92px"}]}render(){if(!this.polled.value)return this.polled.error?l`<tri-error .error=${this.polled.error} .retry=${()=>this.polled.refresh()}></tri-error>`:l`<tri-loading what="queues"></tri-loading>`;const e=this.rows(),s=Math.max(1,...e.map(t=>t.length));return l`${this.polled.error?l`<tri-error .error=${this.polled.error}></tri-error>`:""}
      <section class="card flush">
        <tri-table label="Queues and lanes" searchable sort="kind" .columns=${this.columns(s)} .rows=${e} .rowKey=${t=>t.place} empty="No place holds frames"></tri-table>
      </section>`}};w.styles=[x,_`
      :host {
        display: block;
      }
      meter {
        width: 100%;
        height: 12px;
      }
    `];w=V([E("tri-places")],w);function D(e){return e.kind!=="ready"?"":e.processor?e.processor.draining?"DRAINING":e.processor.healthy?"HEALTHY":"UNHEALTHY":"GONE"}var B=Object.defineProperty,G=Object.getOwnPropertyDescriptor,F=(e,s,t,a)=>{for(var r=a>1?void 0:a?G(s,t):s,n=e.length-1,o;n>=0;n--)(o=e[n])&&(r=(a?o(s,t,r):o(r))||r);return a&&r&&B(s,t,r),r};const W=1e3,g=[["","Cameras"],["queues","Queues and lanes"],["ledger","Ledger"],["dead","Dead letters"]];let f=class extends k{constructor(){super(...arguments),this.query=new URLSearchParams,this.polled=new O(this,async e=>{const[s,t]=await Promise.all([b("/v1/frames/stats",void 0,{signal:e}),b("/v1/frames/latency",void 0,{signal:e}).catch(()=>null)]);return[s,t]},W,([e,s])=>$.add(e,s))}tab(e){this.query=new URLSearchParams(e?{tab:e}:{}),C(Object.fromEntries(this.query))}key(e,s){const t=e.key==="ArrowRight"?1:e.key==="ArrowLeft"?-1:0;if(!t)return;e.preventDefault();const a=(s+t+g.length)%g.length;this.tab(g[a][0]),this.updateComplete.then(()=>this.renderRoot.querySelectorAll('[role="tab"]')[a]?.focus())}find(e){e.preventDefault();const s=String(new FormData(e.target).get("frame")??"").trim();s&&M("frames","frame",s)}render(){const e=this.polled.value?.[0]??null,s=this.query.get("tab")??"";return l`<div class="stack">
      <div class="row between">
        <h1>Frames</h1>
        <form role="search" aria-label="The story of one frame" @submit=${this.find}>
          <input name="frame" type="search" aria-label="Frame: its id or CAMERA:SEQUENCE" placeholder="Frame id or CAMERA:SEQUENCE" maxlength="200" autocomplete="off" />
          <button>Its story</button>
        </form>
      </div>
      ${this.polled.error?l`<tri-error .error=${this.polled.error} .retry=${()=>this.polled.refresh()}></tri-error>`:p}
      ${e?this.figures(e,this.polled.value?.[1]??null):this.polled.error?p:l`<tri-loading what="figures"></tri-loading>`}
      <div class="tabs" role="tablist" aria-label="Of the frames">
        ${g.map(([t,a],r)=>l`<button
            role="tab"
            id="tab-${t}"
            aria-selected=${s===t?"true":"false"}
            aria-controls="panel"
            tabindex=${s===t?0:-1}
            @click=${()=>this.tab(t)}
            @keydown=${n=>this.key(n,r)}
          >
            ${a}${t==="dead"&&e?.dead_len?l` <tri-badge tone="bad" state=${c(e.dead_len)}></tri-badge>`:p}
          </button>`)}
      </div>
      <div id="panel" role="tabpanel" aria-labelledby="tab-${s}">
        ${s==="queues"?l`<tri-places></tri-places>`:s==="ledger"?l`<section class="card"><tri-ledger></tri-ledger></section>`:s==="dead"?l`<tri-dead .camera=${this.query.get("camera")??""}></tri-dead>`:l`<tri-cameras></tri-cameras>`}
      </div>
    </div>`}figures(e,s){const t=Object.values(e.cameras),a=A[e.pressure]??A[0],r=Object.values(e.lanes).reduce((i,d)=>i+d,0),n=Object.values(e.ready).reduce((i,d)=>i+d.length,0),o=$.points,u=o.map(i=>i.at),h=i=>{const d=$.lately(i);return d===null?"–":L(Math.round(d*10)/10)};return l`<div class="tiles">
        <section class="card tile" aria-label="Published"><span>Published a second</span><strong class="figure">${h("published")}</strong><span>by ${c(t.length)} cameras</span></section>
        <section class="card tile" aria-label="Settled"><span>Settled a second</span><strong class="figure">${h("settled")}</strong><span>${s?.p99_ms===null||!s?"no result lately":`p99 ${s.p99_ms} ms`}</span></section>
        <section class="card tile" aria-label="In flight"><span>In flight</span><strong class="figure">${c(e.capture_len+r+n)}</strong><span>${c(n)} in queues, ${c(r)} in lanes</span></section>
        <section class="card tile" aria-label="Dead letters"><span>Dead letters</span><strong class="figure">${c(e.dead_len)}</strong><span>kept until replayed or dropped</span></section>
        <section class="card tile" aria-label="Backpressure"><span>Backpressure</span><strong><tri-badge tone=${a.tone} state=${a.word}></tri-badge></strong><span>${a.means}</span></section>
        <section class="card tile" aria-label="Dispatched by"><span>Dispatched by</span><strong class="figure">${e.fence?.node??"–"}</strong><span>${e.fence?`epoch ${e.fence.term}.${e.fence.index}, ${c(e.fence.frames)} frames`:"nobody has dispatched yet"}</span></section>
      </div>
      <div class="charts">
        <section class="card" aria-label="Rates"><header><h2>Frames a second</h2></header>
          <tri-chart label="Frames a second" unit="/s" .times=${u} .lines=${[{label:"published",values:o.map(i=>i.published)},{label:"settled",values:o.map(i=>i.settled)},{label:"dead or dropped",values:o.map(i=>i.ended)}]}></tri-chart></section>
        <section class="card" aria-label="Latency"><header><h2>From publish to result</h2></header>
          <tri-chart label="From publish to result" unit="ms" .times=${u} .lines=${[{label:"median",values:o.map(i=>i.p50)},{label:"p95",values:o.map(i=>i.p95)},{label:"p99",values:o.map(i=>i.p99)}]}></tri-chart></section>
        <section class="card" aria-label="Waiting"><header><h2>Under way</h2></header>
          <tri-chart label="Frames under way" .times=${u} .lines=${[{label:"in flight",values:o.map(i=>i.inFlight)},{label:"not in a queue yet",values:o.map(i=>i.waiting)}]}></tri-chart></section>
      </div>`}};f.styles=[x,_`
      :host {
        display: block;
        container-type: inline-size;
      }
      .tiles {
        grid-template-columns: repeat(2, minmax(0, 1fr));
      }
      @container (min-width: 520px) {
        .tiles {
          grid-template-columns: repeat(3, minmax(0, 1fr));
        }
      }
      @container (min-width: 920px) {
        .tiles {
          grid-template-columns: repeat(6, minmax(0, 1fr));
        }
      }
      .tile {
        display: grid;
        gap: 2px;
        align-content: start;
      }
      .tile span {
        font-size: var(--text-xs);
        color: var(--ink-3);
      }
      .charts h2 {
        font-size: var(--text-m);
      }
      .charts {
        display: grid;
        gap: var(--space-4);
        grid-template-columns: repeat(auto-fit, minmax(min(100%, 205px), 1fr));
      }
      form {
        display: flex;
        gap: var(--space-2);
      }
      form input {
        width: 220px;
        min-width: 0;
      }
    `];F([N({attribute:!1})],f.prototype,"query",2);f=F([E("page-frames")],f);export{f as Page};
