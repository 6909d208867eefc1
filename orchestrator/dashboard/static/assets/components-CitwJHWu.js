import{i as G,L as H,w as U,s as v,b as g,p as z,k as P,f as Y,A as T,x as u,y as X,m as K,o as Q,q as V,u as M,v as J}from"./index-DpBxanMV.js";import{inTrouble as F}from"./overview-CjNehu0i.js";import"./chart-FQkoBnzL.js";import"./every-CK3W2cWn.js";import"./shown-Dvog4kQy.js";const Z=120,tt={width:168,height:30,gap:8,columns:1},et={width:14,height:14,gap:4,columns:12},C=12,L=30,st=64,x=18,at="no group";function nt(t,s,e){const a=t.length>Z,n=a?et:tt,i=it(t),c=new Map;for(const o of t){const r=o.groups[0]??at,l=c.get(r);l?l.push(o):c.set(r,[o])}const h=new Map(s.map(o=>[o.name,o])),d=new Map;for(const[o,r]of[...c].sort(([l],[w])=>l.localeCompare(w))){const l=a?0:Math.max(...r.map(w=>i.get(w.id)??0));d.set(l,[...d.get(l)??[],{name:o,rows:r}])}const m=[];let y=0,b=0;const q=o=>Math.min(o,n.columns)*(n.width+n.gap)-n.gap+2*C;for(const[,o]of[...d].sort(([r],[l])=>r-l)){let r=0,l=0,w=y;for(const{name:E,rows:N}of o){const A=Math.max(q(N.length),a?150:0),W=Math.ceil(N.length/n.columns),D=L+W*(n.height+n.gap)-n.gap+C;if((a||d.size===1)&&l>0){const p=m[m.length-1];p.x+p.width+x+A<=e?(w=p.x+p.width+x,r=p.y):(w=y,r=b+x)}const j=N.map((p,S)=>({row:p,x:w+C+S%n.columns*(n.width+n.gap),y:r+L+Math.floor(S/n.columns)*(n.height+n.gap),width:n.width,height:n.height})),B=s.filter(p=>p.groups.includes(E)).map(p=>p.name);m.push({name:E,title:h.get(E)?.title??"",within:B,x:w,y:r,width:A,height:D,cells:j}),l=Math.max(l,w+A-y),b=Math.max(b,r+D),r+=D+x}y+=l+st}const _=new Map(m.flatMap(o=>o.cells.map(r=>[r.row.id,r]))),I=a?[]:[..._.values()].flatMap(o=>o.row.depends_on.flatMap(r=>{const l=_.get(r);return l?[{from:l,to:o}]:[]}));return{width:Math.max(0,...m.map(o=>o.x+o.width)),height:b,boxes:m,edges:I,dense:a}}function it(t){const s=new Map(t.map(i=>[i.id,i])),e=new Map,a=new Set,n=i=>{const c=e.get(i);if(c!==void 0)return c;const h=s.get(i);if(!h||a.has(i)||a.size>500)return-1;a.add(i);const d=Math.max(-1,...h.depends_on.map(n))+1;return a.delete(i),e.set(i,d),d};return t.forEach(i=>n(i.id)),e}var ot=Object.defineProperty,rt=Object.getOwnPropertyDescriptor,$=(t,s,e,a)=>{for(var n=a>1?void 0:a?rt(s,e):s,i=t.length-1,c;i>=0;i--)(c=t[i])&&(n=(a?c(s,e,n):c(n))||n);return a&&n&&ot(s,e,n),n};const lt=200;let f=class extends G{constructor(){super(...arguments),this.query=new URLSearchParams,this.view="map",this.group="",this.only="",this.width=1e3,this.live=new H(this,["components","groups","figures"],lt),this.resized=new ResizeObserver(([t])=>this.width=Math.round(t?.contentRect.width??1e3))}connectedCallback(){super.connectedCallback(),this.view=this.query.get("view")==="list"||this.query.get("view")===null&&innerWidth<760?"list":"map",this.group=this.query.get("group")??"",this.only=this.query.get("only")??"",this.resized.observe(this)}disconnectedCallback(){super.disconnectedCallback(),this.resized.disconnect()}set(t){t(),U({view:this.view==="map"?"":"list",group:this.group,only:this.only})}rows(){const t=this.group?this.held(this.group,new Set):null;return v.list("components").filter(s=>t===null||s.groups.some(e=>t.has(e))||t.has(`=${s.id}`)).filter(s=>this.only===""||(this.only==="trouble"?F(s)||s.health!=="OK":s.state===this.only)).sort((s,e)=>s.id.localeCompare(e.id,void 0,{numeric:!0}))}held(t,s){if(s.has(t))return s;s.add(t);const e=v.rows("groups").get(t);return e?.components.forEach(a=>s.add(`=${a}`)),e?.groups.forEach(a=>this.held(a,s)),s}render(){const t=this.rows(),s=[...new Set(v.list("components").map(a=>a.state))].sort(),e=v.list("groups").map(a=>a.name).sort();return g`<div class="stack">
      <div class="row between">
        <h1>Components</h1>
        <div class="row">
          <label class="only-read" for="group">Group</label>
          <select id="group" @change=${a=>this.set(()=>this.group=a.target.value)}>
            <option value="">All groups</option>
            ${e.map(a=>g`<option ?selected=${a===this.group}>${a}</option>`)}
          </select>
          <label class="only-read" for="only">State</label>
          <select id="only" @change=${a=>this.set(()=>this.only=a.target.value)}>
            <option value="">All states</option>
            <option value="trouble" ?selected=${this.only==="trouble"}>In trouble</option>
            ${s.map(a=>g`<option ?selected=${a===this.only}>${a}</option>`)}
          </select>
          <div class="row" role="group" aria-label="Shown as">
            <button aria-pressed=${this.view==="map"} class=${this.view==="map"?"primary":""} @click=${()=>this.set(()=>this.view="map")}>Map</button>
            <button aria-pressed=${this.view==="list"} class=${this.view==="list"?"primary":""} @click=${()=>this.set(()=>this.view="list")}>List</button>
          </div>
        </div>
      </div>
      ${t.length===0?g`<section class="card"><tri-empty heading=${v.rows("components").size?"Nothing fits":"No component is registered"}></tri-empty></section>`:this.view==="map"?this.map(t):this.list(t)}
    </div>`}list(t){return g`<section class="card flush"><tri-table searchable label="Components" sort="id" .columns=${[{key:"id",label:"Component",value:e=>e.id,cell:e=>g`<a href=${P("components",e.id)}>${e.id}</a>`},{key:"state",label:"State",width:"150px",value:e=>e.state,cell:e=>g`<tri-badge state=${e.state}></tri-badge>`},{key:"health",label:"Health",width:"140px",value:e=>k(e),cell:e=>g`<tri-badge state=${k(e)}></tri-badge>`},{key:"group",label:"Groups",extra:!0,value:e=>e.groups.join(", ")},{key:"desired",label:"Desired",width:"110px",extra:!0,value:e=>e.desired},{key:"needs",label:"Needs",extra:!0,value:e=>e.depends_on.join(", ")||null},{key:"seen",label:"Last seen",width:"110px",numeric:!0,extra:!0,value:e=>R(e.id),cell:e=>Y(R(e.id))},{key:"why",label:"Why",extra:!0,value:e=>e.reason||e.health_reason||(e.maintenance?`maintenance: ${e.maintenance.reason}`:null)}]} .rows=${t}></tri-table></section>`}map(t){const s=nt(t,v.list("groups"),Math.max(this.width-40,240));return g`<section class="card flush">
      <div class="map" tabindex="0" role="region" aria-label="Map of components">
        <svg width=${s.width+2} height=${s.height+2} viewBox="-1 -1 ${s.width+2} ${s.height+2}" role="group" aria-label=${`${z(t.length,"component")} in ${z(s.boxes.length,"group")}; the list holds the same`}>
          <defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path class="arrow" d="M0 0 8 4 0 8z" /></marker></defs>
          ${s.boxes.map(e=>ht(e))} ${s.edges.map(e=>ut(e))} ${s.boxes.map(e=>e.cells.map(a=>dt(a,s.dense)))}
        </svg>
      </div>
      <div class="legend" aria-hidden="true">
        ${["STARTED","READY","STOPPED","DEGRADED","FAULT"].map(e=>g`<tri-badge state=${e}></tri-badge>`)}
        <span class="muted small">${s.dense?"Point at a square for its name; filter by group to see names and what needs what.":"An arrow leads from what is needed to what needs it."}</span>
      </div>
    </section>`}};f.styles=[K,Q`
      .map {
        overflow: auto;
        padding: var(--space-4);
      }
      svg {
        display: block;
      }
      .box {
        fill: var(--surface-2);
        stroke: var(--line);
      }
      .box-name {
        fill: var(--ink-2);
        font: 600 12px var(--font);
      }
      .box-note {
        fill: var(--ink-3);
        font: 11px var(--font);
      }
      .cell {
        fill: var(--surface);
        stroke: var(--line-strong);
      }
      .cell.bad {
        stroke: var(--bad);
        stroke-width: 2;
      }
      a:hover .cell {
        fill: var(--accent-soft);
      }
      a:focus-visible {
        outline: none;
      }
      a:focus-visible .cell {
        stroke: var(--focus);
        stroke-width: 3;
      }
      .name {
        fill: var(--ink);
        font: 500 12px var(--font);
      }
      .edge {
        fill: none;
        stroke: var(--line-strong);
        stroke-width: 1.3;
      }
      .edge.bad {
        stroke: var(--bad);
        stroke-dasharray: 4 3;
      }
      .arrow {
        fill: var(--line-strong);
      }
      .ok { color: var(--ok); fill: var(--ok); }
      .warn { color: var(--warn); fill: var(--warn); }
      .bad-mark { color: var(--bad); fill: var(--bad); }
      .info { color: var(--info); fill: var(--info); }
      .idle { color: var(--idle); fill: var(--idle); }
      .legend {
        display: flex;
        flex-wrap: wrap;
        gap: var(--space-2) var(--space-3);
        padding: var(--space-2) var(--space-4);
        border-top: 1px solid var(--line);
      }
    `];$([V({attribute:!1})],f.prototype,"query",2);$([M()],f.prototype,"view",2);$([M()],f.prototype,"group",2);$([M()],f.prototype,"only",2);$([M()],f.prototype,"width",2);f=$([J("page-components")],f);function R(t){return v.figures?.components?.silence_s?.[t]??null}function k(t){return t.presence==="OFFLINE"?"OFFLINE":t.maintenance?"MAINTENANCE":t.health}function ct(t){const s=k(t);return s==="OFFLINE"||s==="UNRESPONSIVE"||t.state==="FAULT"?"bad":s==="DEGRADED"||s==="MAINTENANCE"?"warn":X(t.state)}function ht(t){const s=t.within.length?`in ${t.within.join(", ")}`:"";return u`<g><rect class="box" x=${t.x} y=${t.y} width=${t.width} height=${t.height} rx="6"/>
    <text class="box-name" x=${t.x+12} y=${t.y+19}>${O(t.title||t.name,t.width-24)}</text>
    ${s?u`<text class="box-note" x=${t.x+t.width-12} y=${t.y+19} text-anchor="end">${O(s,t.width/2-16)}</text>`:T}</g>`}function dt(t,s){const{row:e,x:a,y:n,width:i,height:c}=t,h=ct(e),d=`${e.id}: ${e.state}, ${k(e)}${e.reason?`, ${e.reason}`:""}`,m=u`<g transform="translate(${s?a+2:a+9} ${s?n+2:n+10})" class=${h==="bad"?"bad-mark":h}>${pt(h)}</g>`;return u`<a href=${P("components",e.id)} aria-label=${d}><title>${d}</title>
    <rect class="cell ${h==="bad"?"bad":""}" x=${a} y=${n} width=${i} height=${c} rx=${s?3:5}/>${m}
    ${s?T:u`<text class="name" x=${a+26} y=${n+19}>${O(e.id,i-34)}</text>`}</a>`}function pt(t){return t==="ok"?u`<circle cx="5" cy="5" r="5"/>`:t==="warn"?u`<path d="M5 0 10 9.5H0z"/>`:t==="bad"?u`<path d="m0 2 2-2 3 3 3-3 2 2-3 3 3 3-2 2-3-3-3 3-2-2 3-3z"/>`:t==="info"?u`<path d="M5 0 10 5 5 10 0 5z"/>`:u`<rect x="1" y="1" width="8" height="8" rx="1" fill="none" stroke="currentColor" stroke-width="2"/>`}function ut({from:t,to:s}){const e=s.x>t.x+t.width,a=t.x+t.width,n=t.y+t.height/2,i=e?s.x-1:s.x+s.width+1,c=s.y+s.height/2,h=e?Math.max((i-a)/2,24):34,d=`M${a} ${n}C${a+h} ${n} ${e?i-h:i+h} ${c} ${i} ${c}`;return u`<path class="edge ${F(t.row)?"bad":""}" d=${d} marker-end="url(#arrow)"/>`}function O(t,s){const e=Math.max(2,Math.floor(s/6.8));return t.length>e?`${t.slice(0,e-1)}…`:t}export{f as Components,k as health,R as silence};
