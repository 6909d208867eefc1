import{m as M,o as N,q as $,i as A,L as F,z as I,b as s,A as f,k as z,v as D,u as T,x as y,f as w,B as G,c as W,s as p,C as g,D as q,E as B,F as S,p as H}from"./index-mJiKkz-J.js";import"./chart-D1h0-Vav.js";import{E as K}from"./every-tcUxfG7q.js";import{i as U,s as P,t as V,w as X,e as R}from"./shown-Dvog4kQy.js";var Y=Object.defineProperty,J=Object.getOwnPropertyDescriptor,E=(t,e,l,n)=>{for(var i=n>1?void 0:n?J(e,l):e,c=t.length-1,o;c>=0;c--)(o=t[c])&&(i=(n?o(e,l,i):o(i))||i);return n&&i&&Y(e,l,i),i};const Q=300;let x=class extends A{constructor(){super(...arguments),this.about="",this.most=6,this.live=new F(this,["policies","alerts","executions","journal","cluster","components"],Q)}render(){const t=I.list(this.about).slice(0,this.most);return t.length===0?s`<tri-empty heading="Nothing was decided yet"></tri-empty>`:s`<ul>
      ${t.map(e=>s`<li>
        <tri-badge state=${e.level} label=${e.source}></tri-badge>
        <span class="wrap">${this.about||!e.about?f:e.href?s`<a href=${e.href}>${e.about}</a> `:s`${e.about} `}${e.execution?s`<a href=${z("executions",e.execution)}>${e.what}</a>`:e.what} <span class="muted">${e.why}</span></span>
        <tri-time class="muted" .value=${e.at/1e3}></tri-time>
      </li>`)}
    </ul>`}};x.styles=[M,N`
      ul {
        list-style: none;
      }
      li {
        display: grid;
        grid-template-columns: max-content minmax(0, 1fr) max-content;
        gap: var(--space-3);
        align-items: baseline;
        padding: var(--space-2) var(--space-4);
        border-top: 1px solid var(--line);
        font-size: var(--text-s);
      }
      li:first-child {
        border-top: 0;
      }
      a {
        text-decoration: underline;
      }
    `];E([$()],x.prototype,"about",2);E([$({type:Number})],x.prototype,"most",2);x=E([D("tri-decisions")],x);var Z=Object.defineProperty,ee=Object.getOwnPropertyDescriptor,v=(t,e,l,n)=>{for(var i=n>1?void 0:n?ee(e,l):e,c=t.length-1,o;c>=0;c--)(o=t[c])&&(i=(n?o(e,l,i):o(i))||i);return n&&i&&Z(e,l,i),i};const b=26,te=22;let u=class extends A{constructor(){super(...arguments),this.label="",this.spans=[],this.lanes=[],this.from=0,this.to=1,this.width=600,this.resized=new ResizeObserver(([t])=>this.width=Math.max(200,Math.round(t?.contentRect.width??600)))}connectedCallback(){super.connectedCallback(),this.resized.observe(this)}disconnectedCallback(){super.disconnectedCallback(),this.resized.disconnect()}render(){const t=Math.max(2,...this.lanes.map(a=>a.length)),e=Math.min(t*7+12,this.width*.35),l=this.width-e-4,n=Math.max(this.to-this.from,.001),i=a=>e+(Math.min(Math.max(a,this.from),this.to)-this.from)/n*l,c=this.lanes.length*b+te,o=Math.max(2,Math.floor(l/110));return s`<svg viewBox="0 0 ${this.width} ${c}" height=${c} role="img" aria-label=${this.label}>
        ${this.lanes.map((a,d)=>y`<line x1=${e} x2=${this.width} y1=${d*b+b-.5} y2=${d*b+b-.5}/><text x="0" y=${d*b+17}>${ae(a,e)}</text>`)}
        ${this.spans.map(a=>{const d=this.lanes.indexOf(a.lane),m=i(a.from),r=i(a.to??this.to);if(d<0||(a.to??this.to)<this.from||a.from>this.to)return f;const h=y`<rect class=${a.tone} x=${m} y=${d*b+6} width=${Math.max(r-m,2)} height=${b-12}><title>${a.text}</title></rect>`;return a.href?y`<a href=${a.href} tabindex="-1">${h}</a>`:h})}
        ${Array.from({length:o+1},(a,d)=>{const m=this.from+n*d/o,r=d===0?"start":d===o?"end":"middle";return y`<text class="tick" x=${e+l*d/o} y=${c-5} text-anchor=${r}>${n<5?`+${w(m-this.from)}`:G(m*1e3)}</text>`})}
      </svg>
      <ul class="only-read">
        ${this.spans.map(a=>s`<li>${a.lane}: ${a.text}</li>`)}
      </ul>`}};u.styles=[M,N`
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
    `];v([$()],u.prototype,"label",2);v([$({attribute:!1})],u.prototype,"spans",2);v([$({attribute:!1})],u.prototype,"lanes",2);v([$({type:Number})],u.prototype,"from",2);v([$({type:Number})],u.prototype,"to",2);v([T()],u.prototype,"width",2);u=v([D("tri-timeline")],u);function ae(t,e){const l=Math.floor(e/6.6);return t.length>l?`${t.slice(0,Math.max(1,l-1))}…`:t}function _(t,e){return t.map(l=>l.frames?.[e]??null)}var se=Object.getOwnPropertyDescriptor,le=(t,e,l,n)=>{for(var i=n>1?void 0:n?se(e,l):e,c=t.length-1,o;c>=0;c--)(o=t[c])&&(i=o(i)||i);return i};const re=2e3,C=300,ie=24*3600;let k=class extends A{constructor(){super(...arguments),this.live=new F(this,["cluster","components","executions","alerts","figures","link"]),this.lags=new K(this,re,t=>W("/v1/cluster/members",void 0,{signal:t}))}render(){return s`<div class="stack">
      <h1>Overview</h1>
      ${this.tiles()} ${this.nodes()} ${this.history()}
      <div class="grid">${this.frames()} ${this.alerts()}</div>
      <section class="card flush" aria-labelledby="h-decided">
        <header><h2 id="h-decided">Decided lately</h2><a class="small" href="#/journal">The journal</a></header>
        <tri-decisions></tri-decisions>
      </section>
    </div>`}tiles(){const t=p.list("components"),e=O(t.map(r=>r.state)),l=t.filter(ne).length,n=p.members(),i=n.filter(r=>r.reachable).length,c=j(),o=p.list("executions").filter(U),a=o.filter(r=>P(r)==="RETRYING").sort((r,h)=>h.index-r.index)[0],d=p.figures?.frames,m=_(p.trail.slice(-5),"settled_s").filter(r=>r!==null);return s`<div class="tiles">
      <section class="card" aria-labelledby="t-nodes">
        <h2 id="t-nodes">Nodes reachable</h2>
        <p class="figure">${i} <span class="muted">of ${n.length}</span></p>
        <div class="counts"><tri-badge state=${i===n.length?"OK":2*i>n.length?"DEGRADED":"FAILED"} label=${i===n.length?"complete":2*i>n.length?"quorum, not complete":"no quorum"}></tri-badge></div>
      </section>
      <a class="card" href="#/components" aria-labelledby="t-components t-components-n">
        <h2 id="t-components">Components</h2>
        <p class="figure" id="t-components-n">${g(t.length)}</p>
        <div class="counts">
          ${l>0?s`<tri-badge tone="bad" label=${`${l} in trouble`}></tri-badge>`:f}
          ${[...e].map(([r,h])=>s`<tri-badge state=${r} label=${`${h} ${r}`}></tri-badge>`)}
        </div>
      </a>
      <a class="card" href="#/executions?state=open" aria-labelledby="t-work t-work-n">
        <h2 id="t-work">Open executions</h2>
        <p class="figure" id="t-work-n">${g(o.length)}</p>
        <div class="counts">
          ${o.length===0?s`<tri-badge tone="idle" label="nothing runs"></tri-badge>`:[...O(o.map(P))].map(([r,h])=>s`<tri-badge tone=${V(r)} state=${r} label=${`${h} ${X(r).toLowerCase()}`}></tri-badge>`)}
        </div>
        ${a?s`<p class="small muted error" title=${R(a)} data-fact="retrying">${a.playbook}: ${R(a)||"no reason was given"}</p>`:f}
      </a>
      <a class="card" href="#/frames" aria-labelledby="t-frames t-frames-n">
        <h2 id="t-frames">Frames settled a second</h2>
        <p class="figure" id="t-frames-n">${m.length?q(m.reduce((r,h)=>r+h,0)/m.length):"–"}</p>
        <div class="counts">
          ${d?s`<tri-badge tone="info" label=${`${g(d.ledger.in_flight)} in flight`}></tri-badge>${d.backpressure.level>0?s`<tri-badge tone="warn" label=${`backpressure ${d.backpressure.name}`}></tri-badge>`:f}${d.dead_letters>0?s`<tri-badge tone="warn" label=${`${g(d.dead_letters)} dead`}></tri-badge>`:f}`:s`<span class="muted small">the frame server does not answer</span>`}
        </div>
      </a>
      <a class="card" href="#/alerts" aria-labelledby="t-alerts t-alerts-n">
        <h2 id="t-alerts">Open alerts</h2>
        <p class="figure" id="t-alerts-n">${g(c.length)}</p>
        <div class="counts">
          ${c.length===0?s`<tri-badge tone="ok" label="none fires"></tri-badge>`:[...O(c.map(r=>r.severity))].map(([r,h])=>s`<tri-badge state=${r} label=${`${h} ${r}`}></tri-badge>`)}
        </div>
      </a>
    </div>`}lagOf(t){return t.lag??this.lags.value?.find(e=>e.id===t.id)?.lag??null}nodes(){const t=[{key:"id",label:"Node",value:e=>e.id,cell:e=>s`<strong>${e.id}</strong>${e.id===p.link.node?s` <span class="muted">serves</span>`:f}`},{key:"role",label:"Role",width:"100px",value:e=>e.role,cell:e=>s`<tri-badge state=${e.role} tone=${e.role==="leader"?"info":"idle"}></tri-badge>`},{key:"reachable",label:"Reached",width:"122px",value:e=>String(e.reachable),cell:e=>s`<tri-badge state=${e.reachable?"OK":"UNREACHABLE"} label=${e.reachable?"reachable":"unreachable"}></tri-badge>`},{key:"lag",label:"Lag",width:"64px",numeric:!0,value:e=>this.lagOf(e),cell:e=>g(this.lagOf(e))},{key:"release",label:"Release",width:"100px",extra:!0,value:e=>e.release},{key:"api",label:"API",extra:!0,value:e=>e.api,cell:e=>s`<span class="mono">${e.api}</span>`}];return s`<section class="card flush" aria-labelledby="h-nodes">
      <header><h2 id="h-nodes">Nodes</h2><span class="muted small num">index ${g(p.link.index)}</span></header>
      <tri-table label="Nodes" .columns=${t} .rows=${p.members()} .rowKey=${e=>e.id}></tri-table>
    </section>`}history(){const t=p.leaderships(),e=B.now()/1e3,l=t.slice(-20),n=l.length?Math.min(e-C,Math.max(l[0].at-(l[0].gap_s??0),e-ie)):e-C,i=l.flatMap((a,d)=>{const m=l[d+1],r=m?m.at-(m.gap_s??0):null,h=a.gap_s===null?"":`, after ${w(a.gap_s)} without a leader`,L={lane:a.node,from:a.at,to:r,tone:r===null?"info":"idle",text:`${r===null?"leads since":"led from"} ${S(a.at)}${r===null?"":` to ${S(r)}`} in epoch ${a.epoch}, by ${a.reason}${h}`};return a.gap_s?[{lane:a.node,from:a.at-a.gap_s,to:a.at,tone:"gap",text:`no leader for ${w(a.gap_s)}`},L]:[L]}),c=[...new Set([...p.members().map(a=>a.id),...l.map(a=>a.node)])].sort(),o=t[t.length-1];return s`<section class="card" aria-labelledby="h-led">
      <header>
        <h2 id="h-led">Leadership</h2>
        ${o?s`<span class="muted small num">${H(t.length,"leadership")}; ${o.gap_s===null?"the last began with a start":s`the last began by ${o.reason}, after <strong data-fact="gap">${w(o.gap_s)}</strong> without a leader`}</span>`:f}
      </header>
      ${t.length?s`<tri-timeline label="Who led when" .spans=${i} .lanes=${c} .from=${n} .to=${e}></tri-timeline>`:s`<tri-empty heading="No leadership is known yet"></tri-empty>`}
    </section>`}frames(){const t=p.trail.map(e=>e.at);return s`<section class="card" aria-labelledby="h-frames">
      <header><h2 id="h-frames">Frames a second</h2><a class="small" href="#/frames">All of frames</a></header>
      <tri-chart label="Frames a second" unit="/s" .times=${t} .lines=${[{label:"published",values:_(p.trail,"published_s")},{label:"settled",values:_(p.trail,"settled_s")}]}></tri-chart>
    </section>`}alerts(){const t=j();return s`<section class="card flush" aria-labelledby="h-alerts">
      <header><h2 id="h-alerts">Open alerts</h2><a class="small" href="#/alerts">All alerts</a></header>
      ${t.length===0?s`<tri-empty heading="Nothing fires"></tri-empty>`:s`<ul class="alerts">
            ${t.slice(0,8).map(e=>s`<li><tri-badge state=${e.severity}></tri-badge><span class="wrap"><a href=${z("alerts")}>${e.rule}</a> ${e.members.slice(0,3).map(l=>l.subject).join(", ")} <span class="muted">${e.summary}</span></span><tri-time class="muted" .value=${e.fired_time}></tri-time></li>`)}
          </ul>`}
    </section>`}};k.styles=[M,N`
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
    `];k=le([D("page-overview")],k);function ne(t){return t.state==="FAULT"||t.presence==="OFFLINE"||t.health==="UNRESPONSIVE"}function j(){return p.list("alerts").filter(t=>t.state==="FIRING")}function O(t){const e=new Map;for(const l of[...t].sort())e.set(l,(e.get(l)??0)+1);return e}export{k as Overview,ne as inTrouble};
