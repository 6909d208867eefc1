import{l as E,m as S,o as $,q as C,i as L,w as y,A as g,e as x,y as R,b as r,u as D,L as F,g as P,s as h,z as f,B as z,C as I,D as O,p as j,k as T}from"./index-CrQ9lWJO.js";import"./chart-Cr0lqlUm.js";import{E as q}from"./every-AvH6Fhcr.js";var B=Object.defineProperty,G=Object.getOwnPropertyDescriptor,b=(t,e,s,o)=>{for(var n=o>1?void 0:o?G(e,s):e,c=t.length-1,i;c>=0;c--)(i=t[c])&&(n=(o?i(e,s,n):i(n))||n);return o&&n&&B(e,s,n),n};const u=26,H=22;let m=class extends L{constructor(){super(...arguments),this.label="",this.spans=[],this.lanes=[],this.from=0,this.to=1,this.width=600,this.resized=new ResizeObserver(([t])=>this.width=Math.max(200,Math.round(t?.contentRect.width??600)))}connectedCallback(){super.connectedCallback(),this.resized.observe(this)}disconnectedCallback(){super.disconnectedCallback(),this.resized.disconnect()}render(){const t=Math.max(2,...this.lanes.map(a=>a.length)),e=Math.min(t*7+12,this.width*.35),s=this.width-e-4,o=Math.max(this.to-this.from,.001),n=a=>e+(Math.min(Math.max(a,this.from),this.to)-this.from)/o*s,c=this.lanes.length*u+H,i=Math.max(2,Math.floor(s/110));return r`<svg viewBox="0 0 ${this.width} ${c}" height=${c} role="img" aria-label=${this.label}>
        ${this.lanes.map((a,l)=>y`<line x1=${e} x2=${this.width} y1=${l*u+u-.5} y2=${l*u+u-.5}/><text x="0" y=${l*u+17}>${K(a,e)}</text>`)}
        ${this.spans.map(a=>{const l=this.lanes.indexOf(a.lane),d=n(a.from),p=n(a.to??this.to);if(l<0||(a.to??this.to)<this.from||a.from>this.to)return g;const v=y`<rect class=${a.tone} x=${d} y=${l*u+6} width=${Math.max(p-d,2)} height=${u-12}><title>${a.text}</title></rect>`;return a.href?y`<a href=${a.href} tabindex="-1">${v}</a>`:v})}
        ${Array.from({length:i+1},(a,l)=>{const d=this.from+o*l/i,p=l===0?"start":l===i?"end":"middle";return y`<text class="tick" x=${e+s*l/i} y=${c-5} text-anchor=${p}>${o<5?`+${x(d-this.from)}`:R(d*1e3)}</text>`})}
      </svg>
      <ul class="only-read">
        ${this.spans.map(a=>r`<li>${a.lane}: ${a.text}</li>`)}
      </ul>`}};m.styles=[E,S`
      :host {
        display: block;
        min-width: 0;
      }
      svg {
        display: block;
        width: 100%;
        overflow: visible;
      }
      text {
        fill: var(--ink-2);
        font: 11px var(--font);
      }
      .tick {
        fill: var(--ink-3);
      }
      line {
        stroke: var(--line);
      }
      .ok { fill: var(--ok); }
      .warn { fill: var(--warn); }
      .bad { fill: var(--bad); }
      .info { fill: var(--info); }
      .idle { fill: var(--idle); }
      .gap { fill: var(--bad); }
      rect {
        rx: 3px;
      }
    `];b([$()],m.prototype,"label",2);b([$({attribute:!1})],m.prototype,"spans",2);b([$({attribute:!1})],m.prototype,"lanes",2);b([$({type:Number})],m.prototype,"from",2);b([$({type:Number})],m.prototype,"to",2);b([C()],m.prototype,"width",2);m=b([D("tri-timeline")],m);function K(t,e){const s=Math.floor(e/6.6);return t.length>s?`${t.slice(0,Math.max(1,s-1))}…`:t}function w(t,e){return t.map(s=>s.frames?.[e]??null)}var U=Object.getOwnPropertyDescriptor,W=(t,e,s,o)=>{for(var n=o>1?void 0:o?U(e,s):e,c=t.length-1,i;c>=0;c--)(i=t[c])&&(n=i(n)||n);return n};const V=2e3,M=300,X=24*3600;let _=class extends L{constructor(){super(...arguments),this.live=new F(this,["cluster","components","alerts","figures","link"]),this.lags=new q(this,V,t=>P("/v1/cluster/members",void 0,{signal:t}))}render(){return r`<div class="stack">
      <h1>Overview</h1>
      ${this.tiles()} ${this.nodes()} ${this.history()}
      <div class="grid">${this.frames()} ${this.alerts()}</div>
    </div>`}tiles(){const t=h.list("components"),e=A(t.map(l=>l.state)),s=t.filter(J).length,o=h.members(),n=o.filter(l=>l.reachable).length,c=N(),i=h.figures?.frames,a=w(h.trail.slice(-5),"settled_s").filter(l=>l!==null);return r`<div class="tiles">
      <section class="card" aria-labelledby="t-nodes">
        <h2 id="t-nodes">Nodes reachable</h2>
        <p class="figure">${n} <span class="muted">of ${o.length}</span></p>
        <div class="counts"><tri-badge state=${n===o.length?"OK":2*n>o.length?"DEGRADED":"FAILED"} label=${n===o.length?"complete":2*n>o.length?"quorum, not complete":"no quorum"}></tri-badge></div>
      </section>
      <a class="card" href="#/components" aria-labelledby="t-components t-components-n">
        <h2 id="t-components">Components</h2>
        <p class="figure" id="t-components-n">${f(t.length)}</p>
        <div class="counts">
          ${s>0?r`<tri-badge tone="bad" label=${`${s} in trouble`}></tri-badge>`:g}
          ${[...e].map(([l,d])=>r`<tri-badge state=${l} label=${`${d} ${l}`}></tri-badge>`)}
        </div>
      </a>
      <a class="card" href="#/frames" aria-labelledby="t-frames t-frames-n">
        <h2 id="t-frames">Frames settled a second</h2>
        <p class="figure" id="t-frames-n">${a.length?z(a.reduce((l,d)=>l+d,0)/a.length):"–"}</p>
        <div class="counts">
          ${i?r`<tri-badge tone="info" label=${`${f(i.ledger.in_flight)} in flight`}></tri-badge>${i.backpressure.level>0?r`<tri-badge tone="warn" label=${`backpressure ${i.backpressure.name}`}></tri-badge>`:g}${i.dead_letters>0?r`<tri-badge tone="warn" label=${`${f(i.dead_letters)} dead`}></tri-badge>`:g}`:r`<span class="muted small">the frame server does not answer</span>`}
        </div>
      </a>
      <a class="card" href="#/alerts" aria-labelledby="t-alerts t-alerts-n">
        <h2 id="t-alerts">Open alerts</h2>
        <p class="figure" id="t-alerts-n">${f(c.length)}</p>
        <div class="counts">
          ${c.length===0?r`<tri-badge tone="ok" label="none fires"></tri-badge>`:[...A(c.map(l=>l.severity))].map(([l,d])=>r`<tri-badge state=${l} label=${`${d} ${l}`}></tri-badge>`)}
        </div>
      </a>
    </div>`}lagOf(t){return t.lag??this.lags.value?.find(e=>e.id===t.id)?.lag??null}nodes(){const t=[{key:"id",label:"Node",value:e=>e.id,cell:e=>r`<strong>${e.id}</strong>${e.id===h.link.node?r` <span class="muted">serves</span>`:g}`},{key:"role",label:"Role",width:"100px",value:e=>e.role,cell:e=>r`<tri-badge state=${e.role} tone=${e.role==="leader"?"info":"idle"}></tri-badge>`},{key:"reachable",label:"Reached",width:"122px",value:e=>String(e.reachable),cell:e=>r`<tri-badge state=${e.reachable?"OK":"UNREACHABLE"} label=${e.reachable?"reachable":"unreachable"}></tri-badge>`},{key:"lag",label:"Lag",width:"64px",numeric:!0,value:e=>this.lagOf(e),cell:e=>f(this.lagOf(e))},{key:"release",label:"Release",width:"100px",extra:!0,value:e=>e.release},{key:"api",label:"API",extra:!0,value:e=>e.api,cell:e=>r`<span class="mono">${e.api}</span>`}];return r`<section class="card flush" aria-labelledby="h-nodes">
      <header><h2 id="h-nodes">Nodes</h2><span class="muted small num">index ${f(h.link.index)}</span></header>
      <tri-table label="Nodes" .columns=${t} .rows=${h.members()} .rowKey=${e=>e.id}></tri-table>
    </section>`}history(){const t=h.leaderships(),e=I.now()/1e3,s=t.slice(-20),o=s.length?Math.min(e-M,Math.max(s[0].at-(s[0].gap_s??0),e-X)):e-M,n=s.flatMap((a,l)=>{const d=s[l+1],p=d?d.at-(d.gap_s??0):null,v=a.gap_s===null?"":`, after ${x(a.gap_s)} without a leader`,k={lane:a.node,from:a.at,to:p,tone:p===null?"info":"idle",text:`${p===null?"leads since":"led from"} ${O(a.at)}${p===null?"":` to ${O(p)}`} in epoch ${a.epoch}, by ${a.reason}${v}`};return a.gap_s?[{lane:a.node,from:a.at-a.gap_s,to:a.at,tone:"gap",text:`no leader for ${x(a.gap_s)}`},k]:[k]}),c=[...new Set([...h.members().map(a=>a.id),...s.map(a=>a.node)])].sort(),i=t[t.length-1];return r`<section class="card" aria-labelledby="h-led">
      <header>
        <h2 id="h-led">Leadership</h2>
        ${i?r`<span class="muted small num">${j(t.length,"leadership")}; ${i.gap_s===null?"the last began with a start":r`the last began by ${i.reason}, after <strong data-fact="gap">${x(i.gap_s)}</strong> without a leader`}</span>`:g}
      </header>
      ${t.length?r`<tri-timeline label="Who led when" .spans=${n} .lanes=${c} .from=${o} .to=${e}></tri-timeline>`:r`<tri-empty heading="No leadership is known yet"></tri-empty>`}
    </section>`}frames(){const t=h.trail.map(e=>e.at);return r`<section class="card" aria-labelledby="h-frames">
      <header><h2 id="h-frames">Frames a second</h2><a class="small" href="#/frames">All of frames</a></header>
      <tri-chart label="Frames a second" unit="/s" .times=${t} .lines=${[{label:"published",values:w(h.trail,"published_s")},{label:"settled",values:w(h.trail,"settled_s")}]}></tri-chart>
    </section>`}alerts(){const t=N();return r`<section class="card flush" aria-labelledby="h-alerts">
      <header><h2 id="h-alerts">Open alerts</h2><a class="small" href="#/alerts">All alerts</a></header>
      ${t.length===0?r`<tri-empty heading="Nothing fires"></tri-empty>`:r`<ul class="alerts">
            ${t.slice(0,8).map(e=>r`<li><tri-badge state=${e.severity}></tri-badge><span class="wrap"><a href=${T("alerts")}>${e.rule}</a> ${e.members.slice(0,3).map(s=>s.subject).join(", ")} <span class="muted">${e.summary}</span></span><tri-time class="muted" .value=${e.fired_time}></tri-time></li>`)}
          </ul>`}
    </section>`}};_.styles=[E,S`
      .wrap > a {
        text-decoration: underline;
      }
      .counts {
        display: flex;
        flex-wrap: wrap;
        gap: var(--space-1) var(--space-2);
        margin-top: var(--space-2);
      }
      .tiles .card {
        display: block;
        color: inherit;
      }
      .tiles a.card:hover {
        border-color: var(--line-strong);
        text-decoration: none;
      }
      .tiles h2 {
        color: var(--ink-3);
        font-size: var(--text-s);
        font-weight: 500;
      }
      ul.alerts {
        list-style: none;
      }
      ul.alerts li {
        display: grid;
        grid-template-columns: max-content minmax(0, 1fr) max-content;
        gap: var(--space-3);
        align-items: baseline;
        padding: var(--space-2) var(--space-4);
        border-top: 1px solid var(--line);
        font-size: var(--text-s);
      }
      ul.alerts li:first-child {
        border-top: 0;
      }
    `];_=W([D("page-overview")],_);function J(t){return t.state==="FAULT"||t.presence==="OFFLINE"||t.health==="UNRESPONSIVE"}function N(){return h.list("alerts").filter(t=>t.state==="FIRING")}function A(t){const e=new Map;for(const s of[...t].sort())e.set(s,(e.get(s)??0)+1);return e}export{_ as Overview,J as inTrouble};
