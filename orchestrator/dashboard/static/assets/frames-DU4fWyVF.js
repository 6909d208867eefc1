import{s as x,i as _,a as k,g as f,b as l,A as u,d as v,k as P,f as c,c as E,L as j,e as C,u as L,y as M,v as N,z as T,B as I,H as z,n as U}from"./index-DRkjX7RG.js";import"./chart-BT1yW9br.js";import{P as O}from"./polled-BU2n1_IC.js";import{P as q}from"./dead-BMi5c5Xa.js";const A=600,H=5;class Q{constructor(){this.points=[],this.last=null}add(s,r){const e={at:s.server_ms/1e3,published:0,settled:0,ended:0};for(const d of Object.values(s.cameras))e.published+=d.published,e.settled+=d.settled,e.ended+=d.dead+d.dropped;const a=this.last;if(a&&e.at<=a.at){e.at<a.at&&(this.last=null);return}this.last=e;const o=Object.values(s.ready).reduce((d,m)=>d+m.length,0),i=Object.values(s.lanes).reduce((d,m)=>d+m,0),p=a?e.at-a.at:0,h=a!==null&&p<=H,n=(d,m)=>h?Math.max(0,(d-m)/p):null;a&&!h&&this.push({at:e.at-.001,published:null,settled:null,ended:null,inFlight:null,waiting:null,p50:null,p95:null,p99:null}),this.push({at:e.at,published:n(e.published,a?.published??0),settled:n(e.settled,a?.settled??0),ended:n(e.ended,a?.ended??0),inFlight:s.capture_len+i+o,waiting:i+s.capture_len,p50:r?.p50_ms??null,p95:r?.p95_ms??null,p99:r?.p99_ms??null})}get newest(){return this.points[this.points.length-1]??null}lately(s,r=3){const e=this.points.slice(-r).map(a=>a[s]).filter(a=>a!==null);return e.length?e.reduce((a,o)=>a+o,0)/e.length:null}push(s){this.points.push(s),this.points.length>A&&this.points.splice(0,this.points.length-A)}}const $=new Q;var V=Object.getOwnPropertyDescriptor,Y=(t,s,r,e)=>{for(var a=e>1?void 0:e?V(s,r):s,o=t.length-1,i;o>=0;o--)(i=t[o])&&(a=i(a)||a);return a};const B=5e3,R=50;let y=class extends k{constructor(){super(...arguments),this.polled=new O(this,t=>f("/v1/frames/ledger",void 0,{signal:t}),B)}render(){const t=this.polled.value;if(!t)return this.polled.error?l`<tri-error .error=${this.polled.error} .retry=${()=>this.polled.refresh()}></tri-error>`:l`<tri-loading what="the ledger"></tri-loading>`;const s=(e,a)=>l`<span class="part"><strong class="figure" data-sum=${a}>${c(e)}</strong><span>${a}</span></span>`,r=[...t.lost_frames,...t.duplicate_frames].slice(0,R);return l`<div class="stack">
      ${this.polled.error?l`<tri-error .error=${this.polled.error}></tri-error>`:u}
      <div class="row between">
        <tri-badge tone=${t.ledger_ok?"ok":"bad"} state=${t.ledger_ok?"EXACT":"NOT EXACT"} label=${t.ledger_ok?"Exact: no frame is lost or there twice":"It does not add up"}></tri-badge>
        <span class="row"><span class="muted small">Verified ${this.polled.age<1?"just now":`${v(Math.round(this.polled.age))} ago`}</span><button @click=${()=>this.polled.refresh()}>Verify now</button></span>
      </div>
      <div class="sum" role="group" aria-label="published = settled + dead + dropped + in flight${t.lost?" + lost":""}">
        ${s(t.published,"published")}<span class="sign" aria-hidden="true">=</span>${s(t.settled,"settled")}<span class="sign" aria-hidden="true">+</span>${s(t.dead,"dead")}<span class="sign" aria-hidden="true">+</span>${s(t.dropped,"dropped")}<span class="sign" aria-hidden="true">+</span>${s(t.in_flight,"in flight")}
        ${t.lost?l`<span class="sign" aria-hidden="true">+</span>${s(t.lost,"lost")}`:u}
      </div>
      ${t.problems.map(e=>l`<p class="problem small">${e}</p>`)}
      ${r.length?l`<ul class="named" tabindex="0" aria-label="Frames that break the ledger">
            ${r.map(e=>l`<li><a href=${P("frames","frame",`${e.camera_id}:${e.sequence}`)}>${e.camera_id}:${e.sequence}</a> ${e.reason.replaceAll("_"," ")}</li>`)}
          </ul>`:u}
      ${t.stuck?l`<div><h2>${c(t.stuck)} under way for more than a minute</h2>
            <ul class="named" tabindex="0" aria-label="Frames that are under way for long">
              ${t.stuck_frames.slice(0,R).map(e=>l`<li><a href=${P("frames","frame",`${e.camera_id}:${e.sequence}`)}>${e.camera_id}:${e.sequence}</a> in <code>${e.place}</code> for ${v(e.age_s)}</li>`)}
            </ul></div>`:u}
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
    `];y=Y([E("tri-ledger")],y);var X=Object.getOwnPropertyDescriptor,G=(t,s,r,e)=>{for(var a=e>1?void 0:e?X(s,r):s,o=t.length-1,i;o>=0;o--)(i=t[o])&&(a=i(a)||a);return a};const W=1e3,K={capture:"Capture",lane:"Lane",ready:"Queue"};let w=class extends k{constructor(){super(...arguments),this.polled=new O(this,t=>f("/v1/frames/lag",void 0,{signal:t}),W),this.live=new j(this,["processors"])}rows(){const t=C.rows("processors"),s=(this.polled.value??[]).map(e=>{const a=e.place.split("/").pop()??"",[o="",...i]=a.split(":"),p=i.join(":");return{...e,kind:o,name:p,processor:o==="ready"?t.get(p)??null:null}}),r=new Set(s.filter(e=>e.kind==="ready").map(e=>e.name));for(const[e,a]of t)r.has(e)||s.push({place:`ready:${e}`,length:0,oldest_s:null,pending:0,levels:{},kind:"ready",name:e,processor:a});return s}async forget(t){await L({heading:`Remove ${t.name}?`,text:"The plant forgets the processor; the frames in its queue go to others. One that comes back registers again.",action:"Remove",danger:!0,run:()=>M(`/v1/processors/${encodeURIComponent(t.name)}`)})&&(N(`${t.name}: removed`),this.polled.refresh())}columns(t,s){const r={capture:0,lane:1,ready:2};return[{key:"kind",label:"Place",value:e=>r[e.kind]??3,cell:e=>l`${K[e.kind]??e.kind}`,width:"92px"},{key:"name",label:"Of",value:e=>e.name||"all cameras",cell:e=>l`<code>${e.name||"all cameras"}</code>`},{key:"health",label:"State",value:e=>D(e),cell:e=>e.processor||e.kind==="ready"?l`<tri-badge state=${D(e)} title=${e.processor?.reason??""}></tri-badge>`:"–",width:"128px",extra:!0},{key:"length",label:"Frames",value:e=>e.length,cell:e=>c(e.length),numeric:!0,width:"84px"},{key:"bar",label:"Filled",value:e=>e.length,cell:e=>l`<meter min="0" max=${e.processor?.capacity??t} value=${e.length} aria-label="${e.length} of ${e.processor?.capacity??t}"></meter>`,width:"16%",extra:!0,sortable:!1},{key:"pending",label:"In hand",value:e=>e.pending,cell:e=>c(e.pending),numeric:!0,width:"84px",extra:!0},{key:"oldest",label:"Oldest",value:e=>e.oldest_s,cell:e=>v(e.oldest_s),numeric:!0,width:"92px",extra:s},...s?[this.removal()]:[]]}removal(){return{key:"act",label:"",width:"96px",sortable:!1,value:()=>null,cell:t=>S(t)?l`<tri-action compact kind="danger" method="DELETE" path="/v1/processors/{processor_id}" label="Remove ${t.name}" .run=${()=>this.forget(t)}>Remove</tri-action>`:u}}render(){if(!this.polled.value)return this.polled.error?l`<tri-error .error=${this.polled.error} .retry=${()=>this.polled.refresh()}></tri-error>`:l`<tri-loading what="queues"></tri-loading>`;const t=this.rows(),s=Math.max(1,...t.map(r=>r.length));return l`${this.polled.error?l`<tri-error .error=${this.polled.error}></tri-error>`:""}
      <section class="card flush">
        <tri-table label="Queues and lanes" searchable sort="kind" .columns=${this.columns(s,t.some(S))} .rows=${t} .rowKey=${r=>r.place} empty="No place holds frames"></tri-table>
      </section>`}};w.styles=[x,_`
      :host {
        display: block;
      }
      meter {
        width: 100%;
        height: 12px;
      }
    `];w=G([E("tri-places")],w);function S(t){return t.processor!==null&&!t.processor.healthy}function D(t){return t.kind!=="ready"?"":t.processor?t.processor.draining?"DRAINING":t.processor.healthy?"HEALTHY":"UNHEALTHY":"GONE"}var J=Object.defineProperty,Z=Object.getOwnPropertyDescriptor,F=(t,s,r,e)=>{for(var a=e>1?void 0:e?Z(s,r):s,o=t.length-1,i;o>=0;o--)(i=t[o])&&(a=(e?i(s,r,a):i(a))||a);return e&&a&&J(s,r,a),a};const ee=1e3,g=[["","Cameras"],["queues","Queues and lanes"],["ledger","Ledger"],["dead","Dead letters"]];let b=class extends k{constructor(){super(...arguments),this.query=new URLSearchParams,this.polled=new O(this,async t=>{const[s,r]=await Promise.all([f("/v1/frames/stats",void 0,{signal:t}),f("/v1/frames/latency",void 0,{signal:t}).catch(()=>null)]);return[s,r]},ee,([t,s])=>$.add(t,s))}tab(t){this.query=new URLSearchParams(t?{tab:t}:{}),T(Object.fromEntries(this.query))}key(t,s){const r=t.key==="ArrowRight"?1:t.key==="ArrowLeft"?-1:0;if(!r)return;t.preventDefault();const e=(s+r+g.length)%g.length;this.tab(g[e][0]),this.updateComplete.then(()=>this.renderRoot.querySelectorAll('[role="tab"]')[e]?.focus())}find(t){t.preventDefault();const s=String(new FormData(t.target).get("frame")??"").trim();s&&I("frames","frame",s)}render(){const t=this.polled.value?.[0]??null,s=this.query.get("tab")??"";return l`<div class="stack">
      <div class="row between">
        <h1>Frames</h1>
        <form role="search" aria-label="The story of one frame" @submit=${this.find}>
          <input name="frame" type="search" aria-label="Frame: its id or CAMERA:SEQUENCE" placeholder="Frame id or CAMERA:SEQUENCE" maxlength="200" autocomplete="off" />
          <button>Its story</button>
        </form>
      </div>
      ${this.polled.error?l`<tri-error .error=${this.polled.error} .retry=${()=>this.polled.refresh()}></tri-error>`:u}
      ${t?this.figures(t,this.polled.value?.[1]??null):this.polled.error?u:l`<tri-loading what="figures"></tri-loading>`}
      <div class="tabs" role="tablist" aria-label="Of the frames">
        ${g.map(([r,e],a)=>l`<button
            role="tab"
            id="tab-${r}"
            aria-selected=${s===r?"true":"false"}
            aria-controls="panel"
            tabindex=${s===r?0:-1}
            @click=${()=>this.tab(r)}
            @keydown=${o=>this.key(o,a)}
          >
            ${e}${r==="dead"&&t?.dead_len?l` <tri-badge tone="bad" state=${c(t.dead_len)}></tri-badge>`:u}
          </button>`)}
      </div>
      <div id="panel" role="tabpanel" aria-labelledby="tab-${s}">
        ${s==="queues"?l`<tri-places></tri-places>`:s==="ledger"?l`<section class="card"><tri-ledger></tri-ledger></section>`:s==="dead"?l`<tri-dead .camera=${this.query.get("camera")??""}></tri-dead>`:l`<tri-cameras></tri-cameras>`}
      </div>
    </div>`}figures(t,s){const r=Object.values(t.cameras),e=q[t.pressure]??q[0],a=Object.values(t.lanes).reduce((n,d)=>n+d,0),o=Object.values(t.ready).reduce((n,d)=>n+d.length,0),i=$.points,p=i.map(n=>n.at),h=n=>{const d=$.lately(n);return d===null?"–":z(Math.round(d*10)/10)};return l`<div class="tiles">
        <section class="card tile" aria-label="Published"><span>Published a second</span><strong class="figure">${h("published")}</strong><span>by ${c(r.length)} cameras</span></section>
        <section class="card tile" aria-label="Settled"><span>Settled a second</span><strong class="figure">${h("settled")}</strong><span>${s?.p99_ms===null||!s?"no result lately":`p99 ${s.p99_ms} ms`}</span></section>
        <section class="card tile" aria-label="In flight"><span>In flight</span><strong class="figure">${c(t.capture_len+a+o)}</strong><span>${c(o)} in queues, ${c(a)} in lanes</span></section>
        <section class="card tile" aria-label="Dead letters"><span>Dead letters</span><strong class="figure">${c(t.dead_len)}</strong><span>kept until replayed or dropped</span></section>
        <section class="card tile" aria-label="Backpressure"><span>Backpressure</span><strong><tri-badge tone=${e.tone} state=${e.word}></tri-badge></strong><span>${e.means}</span></section>
        <section class="card tile" aria-label="Dispatched by"><span>Dispatched by</span><strong class="figure">${t.fence?.node??"–"}</strong><span>${t.fence?`epoch ${t.fence.term}.${t.fence.index}, ${c(t.fence.frames)} frames`:"nobody has dispatched yet"}</span></section>
      </div>
      <div class="charts">
        <section class="card" aria-label="Rates"><header><h2>Frames a second</h2></header>
          <tri-chart label="Frames a second" unit="/s" .times=${p} .lines=${[{label:"published",values:i.map(n=>n.published)},{label:"settled",values:i.map(n=>n.settled)},{label:"dead or dropped",values:i.map(n=>n.ended)}]}></tri-chart></section>
        <section class="card" aria-label="Latency"><header><h2>From publish to result</h2></header>
          <tri-chart label="From publish to result" unit="ms" .times=${p} .lines=${[{label:"median",values:i.map(n=>n.p50)},{label:"p95",values:i.map(n=>n.p95)},{label:"p99",values:i.map(n=>n.p99)}]}></tri-chart></section>
        <section class="card" aria-label="Waiting"><header><h2>Under way</h2></header>
          <tri-chart label="Frames under way" .times=${p} .lines=${[{label:"in flight",values:i.map(n=>n.inFlight)},{label:"not in a queue yet",values:i.map(n=>n.waiting)}]}></tri-chart></section>
      </div>`}};b.styles=[x,_`
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
    `];F([U({attribute:!1})],b.prototype,"query",2);b=F([E("page-frames")],b);export{b as Page};
