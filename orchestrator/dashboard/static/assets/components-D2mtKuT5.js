import{i as G,L as H,w as Y,s as v,b as g,p as z,k as T,f as X,A as q,x as u,y as K,m as Q,o as V,q as J,u as M,v as Z}from"./index-mJiKkz-J.js";import{inTrouble as F}from"./overview-DQ33rEUu.js";import"./chart-D1h0-Vav.js";import"./every-tcUxfG7q.js";import"./shown-Dvog4kQy.js";const tt=120,et={width:168,height:30,gap:8,columns:1},st={width:14,height:14,gap:4,columns:12},C=12,L=30,at=64,x=18,it="no group";function nt(t,s,e){const a=t.length>tt,i=a?st:et,n=ot(t),h=new Map;for(const o of t){const r=o.groups[0]??it,l=h.get(r);l?l.push(o):h.set(r,[o])}const c=new Map(s.map(o=>[o.name,o])),d=new Map;for(const[o,r]of[...h].sort(([l],[w])=>l.localeCompare(w))){const l=a?0:Math.max(...r.map(w=>n.get(w.id)??0));d.set(l,[...d.get(l)??[],{name:o,rows:r}])}const m=[];let y=0,b=0;const I=o=>Math.min(o,i.columns)*(i.width+i.gap)-i.gap+2*C;for(const[,o]of[...d].sort(([r],[l])=>r-l)){let r=0,l=0,w=y;for(const{name:E,rows:N}of o){const A=Math.max(I(N.length),a?150:0),j=Math.ceil(N.length/i.columns),D=L+j*(i.height+i.gap)-i.gap+C;if((a||d.size===1)&&l>0){const p=m[m.length-1];p.x+p.width+x+A<=e?(w=p.x+p.width+x,r=p.y):(w=y,r=b+x)}const B=N.map((p,S)=>({row:p,x:w+C+S%i.columns*(i.width+i.gap),y:r+L+Math.floor(S/i.columns)*(i.height+i.gap),width:i.width,height:i.height})),U=s.filter(p=>p.groups.includes(E)).map(p=>p.name);m.push({name:E,title:c.get(E)?.title??"",within:U,x:w,y:r,width:A,height:D,cells:B}),l=Math.max(l,w+A-y),b=Math.max(b,r+D),r+=D+x}y+=l+at}const _=new Map(m.flatMap(o=>o.cells.map(r=>[r.row.id,r]))),W=a?[]:[..._.values()].flatMap(o=>o.row.depends_on.flatMap(r=>{const l=_.get(r);return l?[{from:l,to:o}]:[]}));return{width:Math.max(0,...m.map(o=>o.x+o.width)),height:b,boxes:m,edges:W,dense:a}}function ot(t){const s=new Map(t.map(n=>[n.id,n])),e=new Map,a=new Set,i=n=>{const h=e.get(n);if(h!==void 0)return h;const c=s.get(n);if(!c||a.has(n)||a.size>500)return-1;a.add(n);const d=Math.max(-1,...c.depends_on.map(i))+1;return a.delete(n),e.set(n,d),d};return t.forEach(n=>i(n.id)),e}var rt=Object.defineProperty,lt=Object.getOwnPropertyDescriptor,$=(t,s,e,a)=>{for(var i=a>1?void 0:a?lt(s,e):s,n=t.length-1,h;n>=0;n--)(h=t[n])&&(i=(a?h(s,e,i):h(i))||i);return a&&i&&rt(s,e,i),i};const ht=200;let f=class extends G{constructor(){super(...arguments),this.query=new URLSearchParams,this.view="map",this.group="",this.only="",this.width=1e3,this.live=new H(this,["components","groups","figures"],ht),this.resized=new ResizeObserver(([t])=>this.width=Math.round(t?.contentRect.width??1e3))}connectedCallback(){super.connectedCallback(),this.resized.observe(this)}disconnectedCallback(){super.disconnectedCallback(),this.resized.disconnect()}willUpdate(t){t.has("query")&&(this.view=this.query.get("view")==="list"?"list":this.query.get("view")==="map"?"map":R(),this.group=this.query.get("group")??"",this.only=this.query.get("only")??"")}set(t){t(),Y({view:this.view===R()?"":this.view,group:this.group,only:this.only})}rows(){const t=this.group?this.held(this.group,new Set):null;return v.list("components").filter(s=>t===null||s.groups.some(e=>t.has(e))||t.has(`=${s.id}`)).filter(s=>this.only===""||(this.only==="trouble"?F(s)||s.health!=="OK":s.state===this.only)).sort((s,e)=>s.id.localeCompare(e.id,void 0,{numeric:!0}))}held(t,s){if(s.has(t))return s;s.add(t);const e=v.rows("groups").get(t);return e?.components.forEach(a=>s.add(`=${a}`)),e?.groups.forEach(a=>this.held(a,s)),s}render(){const t=this.rows(),s=[...new Set(v.list("components").map(a=>a.state))].sort(),e=v.list("groups").map(a=>a.name).sort();return this.only&&this.only!=="trouble"&&!s.includes(this.only)&&s.push(this.only),this.group&&!e.includes(this.group)&&e.push(this.group),g`<div class="stack">
      <div class="row between">
        <h1>Components</h1>
        <div class="row">
          <label class="only-read" for="group">Group</label>
          <select id="group" @change=${a=>this.set(()=>this.group=a.target.value)}>
            <option value="" .selected=${this.group===""}>All groups</option>
            ${e.map(a=>g`<option .selected=${a===this.group}>${a}</option>`)}
          </select>
          <label class="only-read" for="only">State</label>
          <select id="only" @change=${a=>this.set(()=>this.only=a.target.value)}>
            <option value="" .selected=${this.only===""}>All states</option>
            <option value="trouble" .selected=${this.only==="trouble"}>In trouble</option>
            ${s.map(a=>g`<option .selected=${a===this.only}>${a}</option>`)}
          </select>
          <div class="row" role="group" aria-label="Shown as">
            <button aria-pressed=${this.view==="map"} class=${this.view==="map"?"primary":""} @click=${()=>this.set(()=>this.view="map")}>Map</button>
            <button aria-pressed=${this.view==="list"} class=${this.view==="list"?"primary":""} @click=${()=>this.set(()=>this.view="list")}>List</button>
          </div>
        </div>
      </div>
      ${t.length===0?g`<section class="card"><tri-empty heading=${v.rows("components").size?"Nothing fits":"No component is registered"}></tri-empty></section>`:this.view==="map"?this.map(t):this.list(t)}
    </div>`}list(t){return g`<section class="card flush"><tri-table searchable label="Components" sort="id" .columns=${[{key:"id",label:"Component",value:e=>e.id,cell:e=>g`<a href=${T("components",e.id)}>${e.id}</a>`},{key:"state",label:"State",width:"150px",value:e=>e.state,cell:e=>g`<tri-badge state=${e.state}></tri-badge>`},{key:"health",label:"Health",width:"140px",value:e=>k(e),cell:e=>g`<tri-badge state=${k(e)}></tri-badge>`},{key:"group",label:"Groups",extra:!0,value:e=>e.groups.join(", ")},{key:"desired",label:"Desired",width:"110px",extra:!0,value:e=>e.desired},{key:"needs",label:"Needs",extra:!0,value:e=>e.depends_on.join(", ")||null},{key:"seen",label:"Last seen",width:"110px",numeric:!0,extra:!0,value:e=>P(e.id),cell:e=>X(P(e.id))},{key:"why",label:"Why",extra:!0,value:e=>e.reason||e.health_reason||(e.maintenance?`maintenance: ${e.maintenance.reason}`:null)}]} .rows=${t}></tri-table></section>`}map(t){const s=nt(t,v.list("groups"),Math.max(this.width-40,240));return g`<section class="card flush">
      <div class="map" tabindex="0" role="region" aria-label="Map of components">
        <svg width=${s.width+2} height=${s.height+2} viewBox="-1 -1 ${s.width+2} ${s.height+2}" role="group" aria-label=${`${z(t.length,"component")} in ${z(s.boxes.length,"group")}; the list holds the same`}>
          <defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path class="arrow" d="M0 0 8 4 0 8z" /></marker></defs>
          ${s.boxes.map(e=>dt(e))} ${s.edges.map(e=>gt(e))} ${s.boxes.map(e=>e.cells.map(a=>pt(a,s.dense)))}
        </svg>
      </div>
      <div class="legend" aria-hidden="true">
        ${["STARTED","READY","STOPPED","DEGRADED","FAULT"].map(e=>g`<tri-badge state=${e}></tri-badge>`)}
        <span class="muted small">${s.dense?"Point at a square for its name; filter by group to see names and what needs what.":"An arrow leads from what is needed to what needs it."}</span>
      </div>
    </section>`}};f.styles=[Q,V`
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
    `];$([J({attribute:!1})],f.prototype,"query",2);$([M()],f.prototype,"view",2);$([M()],f.prototype,"group",2);$([M()],f.prototype,"only",2);$([M()],f.prototype,"width",2);f=$([Z("page-components")],f);function R(){return innerWidth<760?"list":"map"}function P(t){return v.figures?.components?.silence_s?.[t]??null}function k(t){return t.presence==="OFFLINE"?"OFFLINE":t.maintenance?"MAINTENANCE":t.health}function ct(t){const s=k(t);return s==="OFFLINE"||s==="UNRESPONSIVE"||t.state==="FAULT"?"bad":s==="DEGRADED"||s==="MAINTENANCE"?"warn":K(t.state)}function dt(t){const s=t.within.length?`in ${t.within.join(", ")}`:"";return u`<g><rect class="box" x=${t.x} y=${t.y} width=${t.width} height=${t.height} rx="6"/>
    <text class="box-name" x=${t.x+12} y=${t.y+19}>${O(t.title||t.name,t.width-24)}</text>
    ${s?u`<text class="box-note" x=${t.x+t.width-12} y=${t.y+19} text-anchor="end">${O(s,t.width/2-16)}</text>`:q}</g>`}function pt(t,s){const{row:e,x:a,y:i,width:n,height:h}=t,c=ct(e),d=`${e.id}: ${e.state}, ${k(e)}${e.reason?`, ${e.reason}`:""}`,m=u`<g transform="translate(${s?a+2:a+9} ${s?i+2:i+10})" class=${c==="bad"?"bad-mark":c}>${ut(c)}</g>`;return u`<a href=${T("components",e.id)} aria-label=${d}><title>${d}</title>
    <rect class="cell ${c==="bad"?"bad":""}" x=${a} y=${i} width=${n} height=${h} rx=${s?3:5}/>${m}
    ${s?q:u`<text class="name" x=${a+26} y=${i+19}>${O(e.id,n-34)}</text>`}</a>`}function ut(t){return t==="ok"?u`<circle cx="5" cy="5" r="5"/>`:t==="warn"?u`<path d="M5 0 10 9.5H0z"/>`:t==="bad"?u`<path d="m0 2 2-2 3 3 3-3 2 2-3 3 3 3-2 2-3-3-3 3-2-2 3-3z"/>`:t==="info"?u`<path d="M5 0 10 5 5 10 0 5z"/>`:u`<rect x="1" y="1" width="8" height="8" rx="1" fill="none" stroke="currentColor" stroke-width="2"/>`}function gt({from:t,to:s}){const e=s.x>t.x+t.width,a=t.x+t.width,i=t.y+t.height/2,n=e?s.x-1:s.x+s.width+1,h=s.y+s.height/2,c=e?Math.max((n-a)/2,24):34,d=`M${a} ${i}C${a+c} ${i} ${e?n-c:n+c} ${h} ${n} ${h}`;return u`<path class="edge ${F(t.row)?"bad":""}" d=${d} marker-end="url(#arrow)"/>`}function O(t,s){const e=Math.max(2,Math.floor(s/6.8));return t.length>e?`${t.slice(0,e-1)}…`:t}export{f as Components,k as health,P as silence};
