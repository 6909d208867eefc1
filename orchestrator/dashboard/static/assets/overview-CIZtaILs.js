import{s as L,i as R,n as v,r as j,a as S,w as y,A as g,d as x,t as P,b as l,c as C,L as z,g as I,e as p,f,h as T,j as F,m as M,p as G,k as H}from"./index-DRkjX7RG.js";import"./chart-BT1yW9br.js";import"./decisions-Ba2DH9Ro.js";import{i as K}from"./component-shown-CXb_gVNc.js";import{E as W}from"./every-dSeuuQNj.js";import{i as q,s as A,t as B,w as U,e as N}from"./shown-Dvog4kQy.js";var X=Object.defineProperty,Y=Object.getOwnPropertyDescriptor,$=(a,e,r,o)=>{for(var i=o>1?void 0:o?Y(e,r):e,c=a.length-1,n;c>=0;c--)(n=a[c])&&(i=(o?n(e,r,i):n(i))||i);return o&&i&&X(e,r,i),i};const u=26,J=22;let b=class extends S{constructor(){super(...arguments),this.label="",this.spans=[],this.lanes=[],this.from=0,this.to=1,this.width=600,this.resized=new ResizeObserver(([a])=>this.width=Math.max(200,Math.round(a?.contentRect.width??600)))}connectedCallback(){super.connectedCallback(),this.resized.observe(this)}disconnectedCallback(){super.disconnectedCallback(),this.resized.disconnect()}render(){const a=Math.max(2,...this.lanes.map(t=>t.length)),e=Math.min(a*7+12,this.width*.35),r=this.width-e-4,o=Math.max(this.to-this.from,.001),i=t=>e+(Math.min(Math.max(t,this.from),this.to)-this.from)/o*r,c=this.lanes.length*u+J,n=Math.max(2,Math.floor(r/110));return l`<svg viewBox="0 0 ${this.width} ${c}" height=${c} role="img" aria-label=${this.label}>
        ${this.lanes.map((t,d)=>y`<line x1=${e} x2=${this.width} y1=${d*u+u-.5} y2=${d*u+u-.5}/><text x="0" y=${d*u+17}>${Q(t,e)}</text>`)}
        ${this.spans.map(t=>{const d=this.lanes.indexOf(t.lane),m=i(t.from),s=i(t.to??this.to);if(d<0||(t.to??this.to)<this.from||t.from>this.to)return g;const h=y`<rect class=${t.tone} x=${m} y=${d*u+6} width=${Math.max(s-m,2)} height=${u-12}><title>${t.text}</title></rect>`;return t.href?y`<a href=${t.href} tabindex="-1">${h}</a>`:h})}
        ${Array.from({length:n+1},(t,d)=>{const m=this.from+o*d/n,s=d===0?"start":d===n?"end":"middle";return y`<text class="tick" x=${e+r*d/n} y=${c-5} text-anchor=${s}>${o<5?`+${x(m-this.from)}`:P(m*1e3)}</text>`})}
      </svg>
      <ul class="only-read">
        ${this.spans.map(t=>l`<li>${t.lane}: ${t.text}</li>`)}
      </ul>`}};b.styles=[L,R`
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
    `];$([v()],b.prototype,"label",2);$([v({attribute:!1})],b.prototype,"spans",2);$([v({attribute:!1})],b.prototype,"lanes",2);$([v({type:Number})],b.prototype,"from",2);$([v({type:Number})],b.prototype,"to",2);$([j()],b.prototype,"width",2);b=$([C("tri-timeline")],b);function Q(a,e){const r=Math.floor(e/6.6);return a.length>r?`${a.slice(0,Math.max(1,r-1))}…`:a}function w(a,e){return a.map(r=>r.frames?.[e]??null)}var V=Object.getOwnPropertyDescriptor,Z=(a,e,r,o)=>{for(var i=o>1?void 0:o?V(e,r):e,c=a.length-1,n;c>=0;c--)(n=a[c])&&(i=n(i)||i);return i};const ee=2e3,D=300,te=24*3600;let _=class extends S{constructor(){super(...arguments),this.live=new z(this,["cluster","components","executions","alerts","figures","link"]),this.lags=new W(this,ee,a=>I("/v1/cluster/members",void 0,{signal:a}))}render(){return l`<div class="stack">
      <h1>Overview</h1>
      ${this.tiles()} ${this.nodes()} ${this.history()}
      <div class="grid">${this.frames()} ${this.alerts()}</div>
      <section class="card flush" aria-labelledby="h-decided">
        <header><h2 id="h-decided">Decided lately</h2><a class="small" href="#/journal">The journal</a></header>
        <tri-decisions></tri-decisions>
      </section>
    </div>`}tiles(){const a=p.list("components"),e=k(a.map(s=>s.state)),r=a.filter(K).length,o=p.members(),i=o.filter(s=>s.reachable).length,c=E(),n=p.list("executions").filter(q),t=n.filter(s=>A(s)==="RETRYING").sort((s,h)=>h.index-s.index)[0],d=p.figures?.frames,m=w(p.trail.slice(-5),"settled_s").filter(s=>s!==null);return l`<div class="tiles">
      <section class="card" aria-labelledby="t-nodes">
        <h2 id="t-nodes">Nodes reachable</h2>
        <p class="figure">${i} <span class="muted">of ${o.length}</span></p>
        <div class="counts"><tri-badge state=${i===o.length?"OK":2*i>o.length?"DEGRADED":"FAILED"} label=${i===o.length?"complete":2*i>o.length?"quorum, not complete":"no quorum"}></tri-badge></div>
      </section>
      <a class="card" href="#/components" aria-labelledby="t-components t-components-n">
        <h2 id="t-components">Components</h2>
        <p class="figure" id="t-components-n">${f(a.length)}</p>
        <div class="counts">
          ${r>0?l`<tri-badge tone="bad" label=${`${r} in trouble`}></tri-badge>`:g}
          ${[...e].map(([s,h])=>l`<tri-badge state=${s} label=${`${h} ${s}`}></tri-badge>`)}
        </div>
      </a>
      <a class="card" href="#/executions?state=open" aria-labelledby="t-work t-work-n">
        <h2 id="t-work">Open executions</h2>
        <p class="figure" id="t-work-n">${f(n.length)}</p>
        <div class="counts">
          ${n.length===0?l`<tri-badge tone="idle" label="nothing runs"></tri-badge>`:[...k(n.map(A))].map(([s,h])=>l`<tri-badge tone=${B(s)} state=${s} label=${`${h} ${U(s).toLowerCase()}`}></tri-badge>`)}
        </div>
        ${t?l`<p class="small muted error" title=${N(t)} data-fact="retrying">${t.playbook}: ${N(t)||"no reason was given"}</p>`:g}
      </a>
      <a class="card" href="#/frames" aria-labelledby="t-frames t-frames-n">
        <h2 id="t-frames">Frames settled a second</h2>
        <p class="figure" id="t-frames-n">${m.length?T(m.reduce((s,h)=>s+h,0)/m.length):"–"}</p>
        <div class="counts">
          ${d?l`<tri-badge tone="info" label=${`${f(d.ledger.in_flight)} in flight`}></tri-badge>${d.backpressure.level>0?l`<tri-badge tone="warn" label=${`backpressure ${d.backpressure.name}`}></tri-badge>`:g}${d.dead_letters>0?l`<tri-badge tone="warn" label=${`${f(d.dead_letters)} dead`}></tri-badge>`:g}`:l`<span class="muted small">the frame server does not answer</span>`}
        </div>
      </a>
      <a class="card" href="#/alerts" aria-labelledby="t-alerts t-alerts-n">
        <h2 id="t-alerts">Open alerts</h2>
        <p class="figure" id="t-alerts-n">${f(c.length)}</p>
        <div class="counts">
          ${c.length===0?l`<tri-badge tone="ok" label="none fires"></tri-badge>`:[...k(c.map(s=>s.severity))].map(([s,h])=>l`<tri-badge state=${s} label=${`${h} ${s}`}></tri-badge>`)}
        </div>
      </a>
    </div>`}lagOf(a){return a.lag??this.lags.value?.find(e=>e.id===a.id)?.lag??null}nodes(){const a=[{key:"id",label:"Node",value:e=>e.id,cell:e=>l`<strong>${e.id}</strong>${e.id===p.link.node?l` <span class="muted">serves</span>`:g}`},{key:"role",label:"Role",width:"100px",value:e=>e.role,cell:e=>l`<tri-badge state=${e.role} tone=${e.role==="leader"?"info":"idle"}></tri-badge>`},{key:"reachable",label:"Reached",width:"122px",value:e=>String(e.reachable),cell:e=>l`<tri-badge state=${e.reachable?"OK":"UNREACHABLE"} label=${e.reachable?"reachable":"unreachable"}></tri-badge>`},{key:"lag",label:"Lag",width:"64px",numeric:!0,value:e=>this.lagOf(e),cell:e=>f(this.lagOf(e))},{key:"release",label:"Release",width:"100px",extra:!0,value:e=>e.release},{key:"api",label:"API",extra:!0,value:e=>e.api,cell:e=>l`<span class="mono">${e.api}</span>`}];return l`<section class="card flush" aria-labelledby="h-nodes">
      <header><h2 id="h-nodes">Nodes</h2><span class="muted small num">index ${f(p.link.index)}</span></header>
      <tri-table label="Nodes" .columns=${a} .rows=${p.members()} .rowKey=${e=>e.id}></tri-table>
    </section>`}history(){const a=p.leaderships(),e=F.now()/1e3,r=a.slice(-20),o=r.length?Math.min(e-D,Math.max(r[0].at-(r[0].gap_s??0),e-te)):e-D,i=r.flatMap((t,d)=>{const m=r[d+1],s=m?m.at-(m.gap_s??0):null,h=t.gap_s===null?"":`, after ${x(t.gap_s)} without a leader`,O={lane:t.node,from:t.at,to:s,tone:s===null?"info":"idle",text:`${s===null?"leads since":"led from"} ${M(t.at)}${s===null?"":` to ${M(s)}`} in epoch ${t.epoch}, by ${t.reason}${h}`};return t.gap_s?[{lane:t.node,from:t.at-t.gap_s,to:t.at,tone:"gap",text:`no leader for ${x(t.gap_s)}`},O]:[O]}),c=[...new Set([...p.members().map(t=>t.id),...r.map(t=>t.node)])].sort(),n=a[a.length-1];return l`<section class="card" aria-labelledby="h-led">
      <header>
        <h2 id="h-led">Leadership</h2>
        ${n?l`<span class="muted small num">${G(a.length,"leadership")}; ${n.gap_s===null?"the last began with a start":l`the last began by ${n.reason}, after <strong data-fact="gap">${x(n.gap_s)}</strong> without a leader`}</span>`:g}
      </header>
      ${a.length?l`<tri-timeline label="Who led when" .spans=${i} .lanes=${c} .from=${o} .to=${e}></tri-timeline>`:l`<tri-empty heading="No leadership is known yet"></tri-empty>`}
    </section>`}frames(){const a=p.trail.map(e=>e.at);return l`<section class="card" aria-labelledby="h-frames">
      <header><h2 id="h-frames">Frames a second</h2><a class="small" href="#/frames">All of frames</a></header>
      <tri-chart label="Frames a second" unit="/s" .times=${a} .lines=${[{label:"published",values:w(p.trail,"published_s")},{label:"settled",values:w(p.trail,"settled_s")}]}></tri-chart>
    </section>`}alerts(){const a=E();return l`<section class="card flush" aria-labelledby="h-alerts">
      <header><h2 id="h-alerts">Open alerts</h2><a class="small" href="#/alerts">All alerts</a></header>
      ${a.length===0?l`<tri-empty heading="Nothing fires"></tri-empty>`:l`<ul class="alerts">
            ${a.slice(0,8).map(e=>l`<li><tri-badge state=${e.severity}></tri-badge><span class="wrap"><a href=${H("alerts")}>${e.rule}</a> ${e.members.slice(0,3).map(r=>r.subject).join(", ")} <span class="muted">${e.summary}</span></span><tri-time class="muted" .value=${e.fired_time}></tri-time></li>`)}
          </ul>`}
    </section>`}};_.styles=[L,R`
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
    `];_=Z([C("page-overview")],_);function E(){return p.list("alerts").filter(a=>a.state==="FIRING")}function k(a){const e=new Map;for(const r of[...a].sort())e.set(r,(e.get(r)??0)+1);return e}export{_ as Overview};
