import{l as S,m as R,o as v,q as F,i as C,w as x,A as g,e as y,y as I,b as l,u as D,L as P,g as z,s as p,z as f,B as T,C as j,D as M,p as G,k as q}from"./index-B9RviuEs.js";import"./chart-CvLMIJaH.js";import{E as B}from"./every-D1-Xgsa1.js";import{i as H,s as N,t as K,w as U,e as A}from"./shown-Dvog4kQy.js";var W=Object.defineProperty,V=Object.getOwnPropertyDescriptor,$=(t,e,r,o)=>{for(var i=o>1?void 0:o?V(e,r):e,d=t.length-1,n;d>=0;d--)(n=t[d])&&(i=(o?n(e,r,i):n(i))||i);return o&&i&&W(e,r,i),i};const u=26,X=22;let b=class extends C{constructor(){super(...arguments),this.label="",this.spans=[],this.lanes=[],this.from=0,this.to=1,this.width=600,this.resized=new ResizeObserver(([t])=>this.width=Math.max(200,Math.round(t?.contentRect.width??600)))}connectedCallback(){super.connectedCallback(),this.resized.observe(this)}disconnectedCallback(){super.disconnectedCallback(),this.resized.disconnect()}render(){const t=Math.max(2,...this.lanes.map(a=>a.length)),e=Math.min(t*7+12,this.width*.35),r=this.width-e-4,o=Math.max(this.to-this.from,.001),i=a=>e+(Math.min(Math.max(a,this.from),this.to)-this.from)/o*r,d=this.lanes.length*u+X,n=Math.max(2,Math.floor(r/110));return l`<svg viewBox="0 0 ${this.width} ${d}" height=${d} role="img" aria-label=${this.label}>
        ${this.lanes.map((a,c)=>x`<line x1=${e} x2=${this.width} y1=${c*u+u-.5} y2=${c*u+u-.5}/><text x="0" y=${c*u+17}>${Y(a,e)}</text>`)}
        ${this.spans.map(a=>{const c=this.lanes.indexOf(a.lane),m=i(a.from),s=i(a.to??this.to);if(c<0||(a.to??this.to)<this.from||a.from>this.to)return g;const h=x`<rect class=${a.tone} x=${m} y=${c*u+6} width=${Math.max(s-m,2)} height=${u-12}><title>${a.text}</title></rect>`;return a.href?x`<a href=${a.href} tabindex="-1">${h}</a>`:h})}
        ${Array.from({length:n+1},(a,c)=>{const m=this.from+o*c/n,s=c===0?"start":c===n?"end":"middle";return x`<text class="tick" x=${e+r*c/n} y=${d-5} text-anchor=${s}>${o<5?`+${y(m-this.from)}`:I(m*1e3)}</text>`})}
      </svg>
      <ul class="only-read">
        ${this.spans.map(a=>l`<li>${a.lane}: ${a.text}</li>`)}
      </ul>`}};b.styles=[S,R`
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
    `];$([v()],b.prototype,"label",2);$([v({attribute:!1})],b.prototype,"spans",2);$([v({attribute:!1})],b.prototype,"lanes",2);$([v({type:Number})],b.prototype,"from",2);$([v({type:Number})],b.prototype,"to",2);$([F()],b.prototype,"width",2);b=$([D("tri-timeline")],b);function Y(t,e){const r=Math.floor(e/6.6);return t.length>r?`${t.slice(0,Math.max(1,r-1))}…`:t}function w(t,e){return t.map(r=>r.frames?.[e]??null)}var J=Object.getOwnPropertyDescriptor,Q=(t,e,r,o)=>{for(var i=o>1?void 0:o?J(e,r):e,d=t.length-1,n;d>=0;d--)(n=t[d])&&(i=n(i)||i);return i};const Z=2e3,E=300,ee=24*3600;let _=class extends C{constructor(){super(...arguments),this.live=new P(this,["cluster","components","executions","alerts","figures","link"]),this.lags=new B(this,Z,t=>z("/v1/cluster/members",void 0,{signal:t}))}render(){return l`<div class="stack">
      <h1>Overview</h1>
      ${this.tiles()} ${this.nodes()} ${this.history()}
      <div class="grid">${this.frames()} ${this.alerts()}</div>
    </div>`}tiles(){const t=p.list("components"),e=k(t.map(s=>s.state)),r=t.filter(te).length,o=p.members(),i=o.filter(s=>s.reachable).length,d=L(),n=p.list("executions").filter(H),a=n.filter(s=>N(s)==="RETRYING").sort((s,h)=>h.index-s.index)[0],c=p.figures?.frames,m=w(p.trail.slice(-5),"settled_s").filter(s=>s!==null);return l`<div class="tiles">
      <section class="card" aria-labelledby="t-nodes">
        <h2 id="t-nodes">Nodes reachable</h2>
        <p class="figure">${i} <span class="muted">of ${o.length}</span></p>
        <div class="counts"><tri-badge state=${i===o.length?"OK":2*i>o.length?"DEGRADED":"FAILED"} label=${i===o.length?"complete":2*i>o.length?"quorum, not complete":"no quorum"}></tri-badge></div>
      </section>
      <a class="card" href="#/components" aria-labelledby="t-components t-components-n">
        <h2 id="t-components">Components</h2>
        <p class="figure" id="t-components-n">${f(t.length)}</p>
        <div class="counts">
          ${r>0?l`<tri-badge tone="bad" label=${`${r} in trouble`}></tri-badge>`:g}
          ${[...e].map(([s,h])=>l`<tri-badge state=${s} label=${`${h} ${s}`}></tri-badge>`)}
        </div>
      </a>
      <a class="card" href="#/executions?state=open" aria-labelledby="t-work t-work-n">
        <h2 id="t-work">Open executions</h2>
        <p class="figure" id="t-work-n">${f(n.length)}</p>
        <div class="counts">
          ${n.length===0?l`<tri-badge tone="idle" label="nothing runs"></tri-badge>`:[...k(n.map(N))].map(([s,h])=>l`<tri-badge tone=${K(s)} state=${s} label=${`${h} ${U(s).toLowerCase()}`}></tri-badge>`)}
        </div>
        ${a?l`<p class="small muted error" title=${A(a)} data-fact="retrying">${a.playbook}: ${A(a)||"no reason was given"}</p>`:g}
      </a>
      <a class="card" href="#/frames" aria-labelledby="t-frames t-frames-n">
        <h2 id="t-frames">Frames settled a second</h2>
        <p class="figure" id="t-frames-n">${m.length?T(m.reduce((s,h)=>s+h,0)/m.length):"–"}</p>
        <div class="counts">
          ${c?l`<tri-badge tone="info" label=${`${f(c.ledger.in_flight)} in flight`}></tri-badge>${c.backpressure.level>0?l`<tri-badge tone="warn" label=${`backpressure ${c.backpressure.name}`}></tri-badge>`:g}${c.dead_letters>0?l`<tri-badge tone="warn" label=${`${f(c.dead_letters)} dead`}></tri-badge>`:g}`:l`<span class="muted small">the frame server does not answer</span>`}
        </div>
      </a>
      <a class="card" href="#/alerts" aria-labelledby="t-alerts t-alerts-n">
        <h2 id="t-alerts">Open alerts</h2>
        <p class="figure" id="t-alerts-n">${f(d.length)}</p>
        <div class="counts">
          ${d.length===0?l`<tri-badge tone="ok" label="none fires"></tri-badge>`:[...k(d.map(s=>s.severity))].map(([s,h])=>l`<tri-badge state=${s} label=${`${h} ${s}`}></tri-badge>`)}
        </div>
      </a>
    </div>`}lagOf(t){return t.lag??this.lags.value?.find(e=>e.id===t.id)?.lag??null}nodes(){const t=[{key:"id",label:"Node",value:e=>e.id,cell:e=>l`<strong>${e.id}</strong>${e.id===p.link.node?l` <span class="muted">serves</span>`:g}`},{key:"role",label:"Role",width:"100px",value:e=>e.role,cell:e=>l`<tri-badge state=${e.role} tone=${e.role==="leader"?"info":"idle"}></tri-badge>`},{key:"reachable",label:"Reached",width:"122px",value:e=>String(e.reachable),cell:e=>l`<tri-badge state=${e.reachable?"OK":"UNREACHABLE"} label=${e.reachable?"reachable":"unreachable"}></tri-badge>`},{key:"lag",label:"Lag",width:"64px",numeric:!0,value:e=>this.lagOf(e),cell:e=>f(this.lagOf(e))},{key:"release",label:"Release",width:"100px",extra:!0,value:e=>e.release},{key:"api",label:"API",extra:!0,value:e=>e.api,cell:e=>l`<span class="mono">${e.api}</span>`}];return l`<section class="card flush" aria-labelledby="h-nodes">
      <header><h2 id="h-nodes">Nodes</h2><span class="muted small num">index ${f(p.link.index)}</span></header>
      <tri-table label="Nodes" .columns=${t} .rows=${p.members()} .rowKey=${e=>e.id}></tri-table>
    </section>`}history(){const t=p.leaderships(),e=j.now()/1e3,r=t.slice(-20),o=r.length?Math.min(e-E,Math.max(r[0].at-(r[0].gap_s??0),e-ee)):e-E,i=r.flatMap((a,c)=>{const m=r[c+1],s=m?m.at-(m.gap_s??0):null,h=a.gap_s===null?"":`, after ${y(a.gap_s)} without a leader`,O={lane:a.node,from:a.at,to:s,tone:s===null?"info":"idle",text:`${s===null?"leads since":"led from"} ${M(a.at)}${s===null?"":` to ${M(s)}`} in epoch ${a.epoch}, by ${a.reason}${h}`};return a.gap_s?[{lane:a.node,from:a.at-a.gap_s,to:a.at,tone:"gap",text:`no leader for ${y(a.gap_s)}`},O]:[O]}),d=[...new Set([...p.members().map(a=>a.id),...r.map(a=>a.node)])].sort(),n=t[t.length-1];return l`<section class="card" aria-labelledby="h-led">
      <header>
        <h2 id="h-led">Leadership</h2>
        ${n?l`<span class="muted small num">${G(t.length,"leadership")}; ${n.gap_s===null?"the last began with a start":l`the last began by ${n.reason}, after <strong data-fact="gap">${y(n.gap_s)}</strong> without a leader`}</span>`:g}
      </header>
      ${t.length?l`<tri-timeline label="Who led when" .spans=${i} .lanes=${d} .from=${o} .to=${e}></tri-timeline>`:l`<tri-empty heading="No leadership is known yet"></tri-empty>`}
    </section>`}frames(){const t=p.trail.map(e=>e.at);return l`<section class="card" aria-labelledby="h-frames">
      <header><h2 id="h-frames">Frames a second</h2><a class="small" href="#/frames">All of frames</a></header>
      <tri-chart label="Frames a second" unit="/s" .times=${t} .lines=${[{label:"published",values:w(p.trail,"published_s")},{label:"settled",values:w(p.trail,"settled_s")}]}></tri-chart>
    </section>`}alerts(){const t=L();return l`<section class="card flush" aria-labelledby="h-alerts">
      <header><h2 id="h-alerts">Open alerts</h2><a class="small" href="#/alerts">All alerts</a></header>
      ${t.length===0?l`<tri-empty heading="Nothing fires"></tri-empty>`:l`<ul class="alerts">
            ${t.slice(0,8).map(e=>l`<li><tri-badge state=${e.severity}></tri-badge><span class="wrap"><a href=${q("alerts")}>${e.rule}</a> ${e.members.slice(0,3).map(r=>r.subject).join(", ")} <span class="muted">${e.summary}</span></span><tri-time class="muted" .value=${e.fired_time}></tri-time></li>`)}
          </ul>`}
    </section>`}};_.styles=[S,R`
      .wrap > a {
        text-decoration: underline;
      }
      .counts {
        display: flex;
        flex-wrap: wrap;
        gap: var(--space-1) var(--space-2);
        margin-top: var(--space-2);
      }
      .tiles .error {
        display: -webkit-box;
        margin-top: var(--space-1);
        overflow: hidden;
        overflow-wrap: anywhere;
        -webkit-box-orient: vertical;
        -webkit-line-clamp: 3;
      }
      .tiles .card {
        display: block;
        min-width: 0;
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
    `];_=Q([D("page-overview")],_);function te(t){return t.state==="FAULT"||t.presence==="OFFLINE"||t.health==="UNRESPONSIVE"}function L(){return p.list("alerts").filter(t=>t.state==="FIRING")}function k(t){const e=new Map;for(const r of[...t].sort())e.set(r,(e.get(r)??0)+1);return e}export{_ as Overview,te as inTrouble};
