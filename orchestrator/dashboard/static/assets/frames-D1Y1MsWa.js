import{k as _,l as x,i as k,g as b,b as l,A as p,d as v,j as P,z as c,q as E,L as j,s as R,u as C,H as M,h as L,m as N}from"./index-BVWSllow.js";import"./chart-BQ_X6Vhs.js";import{P as O}from"./polled-BU2n1_IC.js";import{P as q}from"./dead-CLv3gQNi.js";const A=600,I=5;class T{constructor(){this.points=[],this.last=null}add(t,s){const a={at:t.server_ms/1e3,published:0,settled:0,ended:0};for(const d of Object.values(t.cameras))a.published+=d.published,a.settled+=d.settled,a.ended+=d.dead+d.dropped;const r=this.last;if(r&&a.at<=r.at){a.at<r.at&&(this.last=null);return}this.last=a;const i=Object.values(t.ready).reduce((d,m)=>d+m.length,0),o=Object.values(t.lanes).reduce((d,m)=>d+m,0),u=r?a.at-r.at:0,h=r!==null&&u<=I,n=(d,m)=>h?Math.max(0,(d-m)/u):null;r&&!h&&this.push({at:a.at-.001,published:null,settled:null,ended:null,inFlight:null,waiting:null,p50:null,p95:null,p99:null}),this.push({at:a.at,published:n(a.published,r?.published??0),settled:n(a.settled,r?.settled??0),ended:n(a.ended,r?.ended??0),inFlight:t.capture_len+o+i,waiting:o+t.capture_len,p50:s?.p50_ms??null,p95:s?.p95_ms??null,p99:s?.p99_ms??null})}get newest(){return this.points[this.points.length-1]??null}lately(t,s=3){const a=this.points.slice(-s).map(r=>r[t]).filter(r=>r!==null);return a.length?a.reduce((r,i)=>r+i,0)/a.length:null}push(t){this.points.push(t),this.points.length>A&&this.points.splice(0,this.points.length-A)}}const $=new T;var z=Object.getOwnPropertyDescriptor,U=(e,t,s,a)=>{for(var r=a>1?void 0:a?z(t,s):t,i=e.length-1,o;i>=0;i--)(o=e[i])&&(r=o(r)||r);return r};const H=5e3,S=50;let y=class extends k{constructor(){super(...arguments),this.polled=new O(this,e=>b("/v1/frames/ledger",void 0,{signal:e}),H)}render(){const e=this.polled.value;if(!e)return this.polled.error?l`<tri-error .error=${this.polled.error} .retry=${()=>this.polled.refresh()}></tri-error>`:l`<tri-loading what="the ledger"></tri-loading>`;const t=(a,r)=>l`<span class="part"><strong class="figure" data-sum=${r}>${c(a)}</strong><span>${r}</span></span>`,s=[...e.lost_frames,...e.duplicate_frames].slice(0,S);return l`<div class="stack">
      ${this.polled.error?l`<tri-error .error=${this.polled.error}></tri-error>`:p}
      <div class="row between">
        <tri-badge tone=${e.ledger_ok?"ok":"bad"} state=${e.ledger_ok?"EXACT":"NOT EXACT"} label=${e.ledger_ok?"Exact: no frame is lost or there twice":"It does not add up"}></tri-badge>
        <span class="row"><span class="muted small">Verified ${this.polled.age<1?"just now":`${v(Math.round(this.polled.age))} ago`}</span><button @click=${()=>this.polled.refresh()}>Verify now</button></span>
      </div>
      <div class="sum" role="group" aria-label="published = settled + dead + dropped + in flight${e.lost?" + lost":""}">
        ${t(e.published,"published")}<span class="sign" aria-hidden="true">=</span>${t(e.settled,"settled")}<span class="sign" aria-hidden="true">+</span>${t(e.dead,"dead")}<span class="sign" aria-hidden="true">+</span>${t(e.dropped,"dropped")}<span class="sign" aria-hidden="true">+</span>${t(e.in_flight,"in flight")}
        ${e.lost?l`<span class="sign" aria-hidden="true">+</span>${t(e.lost,"lost")}`:p}
      </div>
      ${e.problems.map(a=>l`<p class="problem small">${a}</p>`)}
      ${s.length?l`<ul class="named" tabindex="0" aria-label="Frames that break the ledger">
            ${s.map(a=>l`<li><a href=${P("frames","frame",`${a.camera_id}:${a.sequence}`)}>${a.camera_id}:${a.sequence}</a> ${a.reason.replaceAll("_"," ")}</li>`)}
          </ul>`:p}
      ${e.stuck?l`<div><h2>${c(e.stuck)} under way for more than a minute</h2>
            <ul class="named" tabindex="0" aria-label="Frames that are under way for long">
              ${e.stuck_frames.slice(0,S).map(a=>l`<li><a href=${P("frames","frame",`${a.camera_id}:${a.sequence}`)}>${a.camera_id}:${a.sequence}</a> in <code>${a.place}</code> for ${v(a.age_s)}</li>`)}
            </ul></div>`:p}
    </div>`}};y.styles=[_,x`
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
    `];y=U([E("tri-ledger")],y);var Q=Object.getOwnPropertyDescriptor,V=(e,t,s,a)=>{for(var r=a>1?void 0:a?Q(t,s):t,i=e.length-1,o;i>=0;i--)(o=e[i])&&(r=o(r)||r);return r};const Y=1e3,X={capture:"Capture",lane:"Lane",ready:"Queue"};let w=class extends k{constructor(){super(...arguments),this.polled=new O(this,e=>b("/v1/frames/lag",void 0,{signal:e}),Y),this.live=new j(this,["processors"])}rows(){const e=R.rows("processors");return(this.polled.value??[]).map(t=>{const s=t.place.split("/").pop()??"",[a="",...r]=s.split(":"),i=r.join(":");return{...t,kind:a,name:i,processor:a==="ready"?e.get(i)??null:null}})}columns(e){const t={capture:0,lane:1,ready:2};return[{key:"kind",label:"Place",value:s=>t[s.kind]??3,cell:s=>l`${X[s.kind]??s.kind}`,width:"92px"},{key:"name",label:"Of",value:s=>s.name||"all cameras",cell:s=>l`<code>${s.name||"all cameras"}</code>`},{key:"health",label:"State",value:s=>D(s),cell:s=>s.processor||s.kind==="ready"?l`<tri-badge state=${D(s)} title=${s.processor?.reason??""}></tri-badge>`:"–",width:"128px",extra:!0},{key:"length",label:"Frames",value:s=>s.length,cell:s=>c(s.length),numeric:!0,width:"84px"},{key:"bar",label:"Filled",value:s=>s.length,cell:s=>l`<meter min="0" max=${s.processor?.capacity??e} value=${s.length} aria-label="${s.length} of ${s.processor?.capacity??e}"></meter>`,width:"16%",extra:!0,sortable:!1},{key:"pending",label:"In hand",value:s=>s.pending,cell:s=>c(s.pending),numeric:!0,width:"84px",extra:!0},{key:"oldest",label:"Oldest",value:s=>s.oldest_s,cell:s=>v(s.oldest_s),numeric:!0,width:"92px"}]}render(){if(!this.polled.value)return this.polled.error?l`<tri-error .error=${this.polled.error} .retry=${()=>this.polled.refresh()}></tri-error>`:l`<tri-loading what="queues"></tri-loading>`;const e=this.rows(),t=Math.max(1,...e.map(s=>s.length));return l`${this.polled.error?l`<tri-error .error=${this.polled.error}></tri-error>`:""}
      <section class="card flush">
        <tri-table label="Queues and lanes" searchable sort="kind" .columns=${this.columns(t)} .rows=${e} .rowKey=${s=>s.place} empty="No place holds frames"></tri-table>
      </section>`}};w.styles=[_,x`
      :host {
        display: block;
      }
      meter {
        width: 100%;
        height: 12px;
      }
    `];w=V([E("tri-places")],w);function D(e){return e.kind!=="ready"?"":e.processor?e.processor.draining?"DRAINING":e.processor.healthy?"HEALTHY":"UNHEALTHY":"GONE"}var B=Object.defineProperty,G=Object.getOwnPropertyDescriptor,F=(e,t,s,a)=>{for(var r=a>1?void 0:a?G(t,s):t,i=e.length-1,o;i>=0;i--)(o=e[i])&&(r=(a?o(t,s,r):o(r))||r);return a&&r&&B(t,s,r),r};const W=1e3,g=[["","Cameras"],["queues","Queues and lanes"],["ledger","Ledger"],["dead","Dead letters"]];let f=class extends k{constructor(){super(...arguments),this.query=new URLSearchParams,this.polled=new O(this,async e=>{const[t,s]=await Promise.all([b("/v1/frames/stats",void 0,{signal:e}),b("/v1/frames/latency",void 0,{signal:e}).catch(()=>null)]);return[t,s]},W,([e,t])=>$.add(e,t))}tab(e){this.query=new URLSearchParams(e?{tab:e}:{}),C(Object.fromEntries(this.query))}key(e,t){const s=e.key==="ArrowRight"?1:e.key==="ArrowLeft"?-1:0;if(!s)return;e.preventDefault();const a=(t+s+g.length)%g.length;this.tab(g[a][0]),this.updateComplete.then(()=>this.renderRoot.querySelectorAll('[role="tab"]')[a]?.focus())}find(e){e.preventDefault();const t=String(new FormData(e.target).get("frame")??"").trim();t&&M("frames","frame",t)}render(){const e=this.polled.value?.[0]??null,t=this.query.get("tab")??"";return l`<div class="stack">
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
        ${g.map(([s,a],r)=>l`<button
            role="tab"
            id="tab-${s}"
            aria-selected=${t===s?"true":"false"}
            aria-controls="panel"
            tabindex=${t===s?0:-1}
            @click=${()=>this.tab(s)}
            @keydown=${i=>this.key(i,r)}
          >
            ${a}${s==="dead"&&e?.dead_len?l` <tri-badge tone="bad" state=${c(e.dead_len)}></tri-badge>`:p}
          </button>`)}
      </div>
      <div id="panel" role="tabpanel" aria-labelledby="tab-${t}">
        ${t==="queues"?l`<tri-places></tri-places>`:t==="ledger"?l`<section class="card"><tri-ledger></tri-ledger></section>`:t==="dead"?l`<tri-dead .camera=${this.query.get("camera")??""}></tri-dead>`:l`<tri-cameras></tri-cameras>`}
      </div>
    </div>`}figures(e,t){const s=Object.values(e.cameras),a=q[e.pressure]??q[0],r=Object.values(e.lanes).reduce((n,d)=>n+d,0),i=Object.values(e.ready).reduce((n,d)=>n+d.length,0),o=$.points,u=o.map(n=>n.at),h=n=>{const d=$.lately(n);return d===null?"–":L(Math.round(d*10)/10)};return l`<div class="tiles">
        <section class="card tile" aria-label="Published"><span>Published a second</span><strong class="figure">${h("published")}</strong><span>by ${c(s.length)} cameras</span></section>
        <section class="card tile" aria-label="Settled"><span>Settled a second</span><strong class="figure">${h("settled")}</strong><span>${t?.p99_ms===null||!t?"no result lately":`p99 ${t.p99_ms} ms`}</span></section>
        <section class="card tile" aria-label="In flight"><span>In flight</span><strong class="figure">${c(e.capture_len+r+i)}</strong><span>${c(i)} in queues, ${c(r)} in lanes</span></section>
        <section class="card tile" aria-label="Dead letters"><span>Dead letters</span><strong class="figure">${c(e.dead_len)}</strong><span>kept until replayed or dropped</span></section>
        <section class="card tile" aria-label="Backpressure"><span>Backpressure</span><strong><tri-badge tone=${a.tone} state=${a.word}></tri-badge></strong><span>${a.means}</span></section>
        <section class="card tile" aria-label="Dispatched by"><span>Dispatched by</span><strong class="figure">${e.fence?.node??"–"}</strong><span>${e.fence?`epoch ${e.fence.term}.${e.fence.index}, ${c(e.fence.frames)} frames`:"nobody has dispatched yet"}</span></section>
      </div>
      <div class="charts">
        <section class="card" aria-label="Rates"><header><h2>Frames a second</h2></header>
          <tri-chart label="Frames a second" unit="/s" .times=${u} .lines=${[{label:"published",values:o.map(n=>n.published)},{label:"settled",values:o.map(n=>n.settled)},{label:"dead or dropped",values:o.map(n=>n.ended)}]}></tri-chart></section>
        <section class="card" aria-label="Latency"><header><h2>From publish to result</h2></header>
          <tri-chart label="From publish to result" unit="ms" .times=${u} .lines=${[{label:"median",values:o.map(n=>n.p50)},{label:"p95",values:o.map(n=>n.p95)},{label:"p99",values:o.map(n=>n.p99)}]}></tri-chart></section>
        <section class="card" aria-label="Waiting"><header><h2>Under way</h2></header>
          <tri-chart label="Frames under way" .times=${u} .lines=${[{label:"in flight",values:o.map(n=>n.inFlight)},{label:"not in a queue yet",values:o.map(n=>n.waiting)}]}></tri-chart></section>
      </div>`}};f.styles=[_,x`
      :host {
        display: block;
      }
      .tiles {
        grid-template-columns: repeat(auto-fit, minmax(min(100%, 145px), 1fr));
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
        grid-template-columns: repeat(auto-fit, minmax(min(100%, 320px), 1fr));
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
