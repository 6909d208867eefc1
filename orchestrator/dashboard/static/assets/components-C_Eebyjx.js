import{l as wt,o as gt,E as K,s as ot,i as $t,n as rt,r as _,a as at,e as v,A as H,p as A,b as w,w as p,k as G,c as it,L as mt,q as vt,d as yt}from"./index-Uf5JfVoN.js";import{h as B,i as F,t as bt,s as Y}from"./component-shown-piw8GlP0.js";/**
 * @license
 * Copyright 2018 Google LLC
 * SPDX-License-Identifier: BSD-3-Clause
 */const xt={},T=wt(class extends gt{constructor(){super(...arguments),this.ot=xt}render(t,e){return e()}update(t,[e,s]){if(Array.isArray(e)){if(Array.isArray(this.ot)&&this.ot.length===e.length&&e.every((o,n)=>o===this.ot[n]))return K}else if(this.ot===e)return K;return this.ot=Array.isArray(e)?Array.from(e):e,this.render(e,s)}}),kt=120,Mt={width:168,height:30,gap:8,columns:1},Et={width:14,height:14,gap:4,columns:12},j=12,Q=30,At=64,D=18,_t=52,V=24,Ot=300,U=40,Ct="no group";function J(t,e,s){const o=t.length>kt,n=o?Et:Mt,r=o?null:Z(new Map(t.map(i=>[i.id,i.depends_on]))),a=new Map;for(const i of t){const h=i.groups[0]??Ct,u=a.get(h);u?u.push(i):a.set(h,[i])}const l=new Map(e.map(i=>[i.name,i])),d=o?Z(Dt(a)):null,c=i=>d?.get(i)??0,$=new Map;for(const[i,h]of[...a].sort(([u],[g])=>c(u)-c(g)||u.localeCompare(g,void 0,{numeric:!0}))){const u=r?Math.max(...h.map(g=>r.get(g.id)??0)):0;$.set(u,[...$.get(u)??[],{name:i,rows:h}])}const m=[];let C=0,b=0;const ht=i=>Math.min(i,n.columns)*(n.width+n.gap)-n.gap+2*j;for(const[,i]of[...$].sort(([h],[u])=>h-u)){let h=0,u=0,g=C;for(const{name:M,rows:S}of i){const P=Math.max(ht(S.length),o?150:0),ut=Math.ceil(S.length/n.columns),z=Q+ut*(n.height+n.gap)-n.gap+j;if((o||$.size===1)&&u>0){const f=m[m.length-1],E=c(f.name)===c(M);E&&f.x+f.width+D+P<=s?(g=f.x+f.width+D,h=f.y):(g=C,h=b+(E?D:_t))}const pt=S.map((f,E)=>({row:f,x:g+j+E%n.columns*(n.width+n.gap),y:h+Q+Math.floor(E/n.columns)*(n.height+n.gap),width:n.width,height:n.height})),ft=e.filter(f=>f.groups.includes(M)).map(f=>f.name);m.push({name:M,title:l.get(M)?.title??"",real:S[0]?.groups[0]===M,within:ft,x:g,y:h,width:P,height:z,cells:pt}),u=Math.max(u,g+P-C),b=Math.max(b,h+z),h+=z+D}C+=u+At}const L=new Map(m.flatMap(i=>i.cells.map(h=>[h.row.id,h]))),X=[...L.values()].flatMap(i=>i.row.depends_on.flatMap(h=>{const u=L.get(h);return u?[{from:u,to:i}]:[]})),{links:dt,shown:I}=Rt(m,X);return o&&(b=Math.max(b,...I.map(i=>Math.max(i.y1,i.y2)+(i.out>0&&i.back>0?U:0)))),{width:Math.max(0,...m.map(i=>i.x+i.width)),height:b,boxes:m,cells:L,edges:X,links:dt,shown:I,dense:o}}function St(t){const e=new Map;for(const s of t)for(const o of s.depends_on){const n=e.get(o);n?n.push(s.id):e.set(o,[s.id])}return e.forEach(s=>s.sort()),e}function Dt(t){const e=new Map([...t].flatMap(([s,o])=>o.map(n=>[n.id,s])));return new Map([...t].map(([s,o])=>{const n=new Set(o.flatMap(r=>r.depends_on.flatMap(a=>e.get(a)??[])));return n.delete(s),[s,[...n]]}))}function Rt(t,e){const s=new Map(t.flatMap(a=>a.cells.map(l=>[l,a]))),o=new Map;for(const a of e){const[l,d]=[s.get(a.from),s.get(a.to)];if(l===d)continue;const c=o.get(l)??new Map;o.set(l,c);const $=c.get(d);$?$.push(a):c.set(d,[a])}const n=[...o].flatMap(([a,l])=>[...l].map(([d,c])=>Lt(a,d,c)));n.sort((a,l)=>l.edges.length-a.edges.length);const r=n.slice(0,Ot);return Nt(r),{links:n,shown:r}}function Nt(t){const e=new Map,s=(n,r,a,l)=>{const d=`${r} ${n.name}`,c=e.get(d);c?c.push({box:n,other:a,put:l}):e.set(d,[{box:n,other:a,put:l}])};for(const n of t)s(n.from,n.y1,n.to,r=>n.x1=r),s(n.to,n.y2,n.from,r=>n.x2=r);const o=n=>n.x+n.width/2;for(const n of e.values())n.sort((r,a)=>o(r.other)-o(a.other)),n.forEach(({box:r,put:a},l)=>a(Math.round(r.x+r.width*(l+1)/(n.length+1))))}function Lt(t,e,s){const[o,n]=[t.y+t.height,e.y+e.height],r={from:t,to:e,edges:s,x1:t.x,x2:e.x};if(e.y>=o){const a=Math.max(V,(e.y-o)/2);return{...r,y1:o,y2:e.y,out:a,back:-a}}if(t.y>=n){const a=Math.max(V,(t.y-n)/2);return{...r,y1:t.y,y2:n,out:-a,back:a}}return{...r,y1:o,y2:n,out:U,back:U}}function Z(t){const e=new Map,s=new Set,o=n=>{const r=e.get(n);if(r!==void 0)return r;const a=t.get(n);if(!a||s.has(n)||s.size>500)return-1;s.add(n);const l=Math.max(-1,...a.map(o))+1;return s.delete(n),e.set(n,l),l};return[...t.keys()].forEach(o),e}var Pt=Object.defineProperty,zt=Object.getOwnPropertyDescriptor,N=(t,e,s,o)=>{for(var n=o>1?void 0:o?zt(e,s):e,r=t.length-1,a;r>=0;r--)(a=t[r])&&(n=(o?a(e,s,n):a(n))||n);return o&&n&&Pt(e,s,n),n};const tt=8,et=9;let k=class extends at{constructor(){super(...arguments),this.rows=[],this.width=1e3,this.chosen="",this.map=J([],[],0),this.needed=new Map,this.resized=new ResizeObserver(([t])=>this.width=Math.round(t?.contentRect.width??1e3))}connectedCallback(){super.connectedCallback(),this.resized.observe(this)}disconnectedCallback(){super.disconnectedCallback(),this.resized.disconnect()}willUpdate(t){!t.has("rows")&&!t.has("width")||(this.map=J(this.rows,v.list("groups"),Math.max(this.width-40,240)),this.needed=St(v.list("components")))}point(t){const e=q(t.target)?.dataset.id;e!==void 0&&(this.chosen=e)}reach(t){const e=q(t.target);this.chosen=e?.dataset.id??"";const s=this.renderRoot.querySelector(".about");e&&s&&e.getBoundingClientRect().bottom>s.getBoundingClientRect().top&&e.scrollIntoView({block:"center"})}leave(){const t=this.renderRoot.activeElement;this.chosen=q(t)?.dataset.id??""}render(){const{map:t}=this,e=t.cells.get(this.chosen),[s,o]=[t.width+2,t.height+2];return w`<section class="card flush">
      <div class="map" tabindex="0" role="region" aria-label="Map of components">
        <svg width=${s} height=${o} viewBox="-1 -1 ${s} ${o}" role="group" aria-label=${`${A(this.rows.length,"component")} in ${A(t.boxes.length,"group")}; the list holds the same`}
          @pointerover=${this.point} @pointerleave=${this.leave} @focusin=${this.reach} @focusout=${()=>this.chosen=""}>
          <defs>${nt("arrow")}</defs>
          ${T([t],()=>jt(t))}
          <g aria-hidden="true" class=${e?"faded":""}>${T([t],()=>t.dense?t.shown.map(Ht):t.edges.map(n=>lt(n,ct(n),"arrow")))}</g>
          ${T([t],()=>t.boxes.map(n=>n.cells.map(r=>Ut(r,t.dense,this.words(r.row)))))}
          <g class="own" aria-hidden="true"><defs>${nt("own-arrow")}</defs>${e?Gt(e,t):H}</g>
        </svg>
      </div>
      <p class="about ${e?"chosen":""}" aria-hidden="true">${e?this.words(e.row):Tt(t)}</p>
      <div class="legend" aria-hidden="true">${["STARTED","READY","STOPPED","DEGRADED","FAULT"].map(n=>w`<tri-badge state=${n}></tri-badge>`)}</div>
    </section>`}words(t){return[`${t.id}: ${t.state}, ${B(t)}${t.reason?`, ${t.reason}`:""}`,...R("needs",t.depends_on),...R("needed by",this.needed.get(t.id)??[])].join("; ")}};k.styles=[ot,$t`
      :host {
        display: block;
      }
      /* Clipped, not hidden: what sticks within would stick to the card. */
      .card.flush {
        overflow: clip;
      }
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
      a:hover .box-name,
      a:focus-visible .box-name {
        text-decoration: underline;
      }
      a:focus-visible .box-name {
        fill: var(--focus);
        text-decoration-thickness: 2px;
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
      .number {
        fill: var(--ink-2);
        font: 600 11px var(--font);
      }
      .faded {
        opacity: 0.35;
      }
      .own {
        pointer-events: none;
      }
      .own .edge {
        stroke: var(--accent);
        stroke-width: 2;
      }
      .own .edge.bad {
        stroke: var(--bad);
      }
      .own .arrow {
        fill: var(--accent);
      }
      .own rect {
        fill: none;
        stroke: var(--accent);
        stroke-width: 2.5;
      }
      .ok { color: var(--ok); fill: var(--ok); }
      .warn { color: var(--warn); fill: var(--warn); }
      .bad-mark { color: var(--bad); fill: var(--bad); }
      .info { color: var(--info); fill: var(--info); }
      .idle { color: var(--idle); fill: var(--idle); }
      .about {
        position: sticky;
        bottom: 0;
        padding: var(--space-2) var(--space-4);
        border-top: 1px solid var(--line);
        background: var(--surface);
        color: var(--ink-3);
        font-size: var(--text-s);
        overflow-wrap: anywhere;
      }
      .about.chosen {
        color: var(--ink);
      }
      .legend {
        display: flex;
        flex-wrap: wrap;
        gap: var(--space-2) var(--space-3);
        padding: var(--space-2) var(--space-4);
        border-top: 1px solid var(--line);
      }
    `];N([rt({attribute:!1})],k.prototype,"rows",2);N([_()],k.prototype,"width",2);N([_()],k.prototype,"chosen",2);k=N([it("tri-map")],k);function q(t){return t instanceof Element?t.closest("a[data-id]"):null}function R(t,e){if(e.length===0)return[];const s=e.length-tt;return[`${t} ${e.slice(0,tt).join(", ")}${s>0?` and ${A(s,"other")}`:""}`]}function Tt(t){if(!t.dense)return"An arrow leads from what is needed to what needs it.";const e=t.links.length-t.shown.length;return`An arrow leads from a group that is needed to one that needs it, with the number of dependencies. Point at a square, or go to it with Tab, for its name and its own.${e>0?` The ${t.shown.length} arrows with the most dependencies are drawn, ${e} are not.`:""}`}function nt(t){return p`<marker id=${t} viewBox="0 0 8 8" refX="7" refY="4" markerWidth="9" markerHeight="9" markerUnits="userSpaceOnUse" orient="auto"><path class="arrow" d="M0 0 8 4 0 8z" /></marker>`}function jt({boxes:t,links:e}){const s=new Map(t.map(n=>[n,[]])),o=new Map(t.map(n=>[n,[]]));for(const{from:n,to:r,edges:a}of e)s.get(r).push(`${x(n)} (${a.length})`),o.get(n).push(`${x(r)} (${a.length})`);return t.map(n=>{const r=`${x(n)}: ${A(n.cells.length,"component")}`;return qt(n,[r,...R("needs",s.get(n)),...R("needed by",o.get(n))].join("; "))})}function x(t){return t.title||t.name}function qt(t,e){const s=t.within.length?`in ${t.within.join(", ")}`:"",o=p`<text class="box-name" x=${t.x+12} y=${t.y+19}>${W(x(t),t.width-24)}</text>`;return p`<g><rect class="box" x=${t.x} y=${t.y} width=${t.width} height=${t.height} rx="6"/>
    ${t.real?p`<a href=${Bt(t.name)} aria-label=${e}><title>${e}</title>${o}</a>`:o}
    ${s?p`<text class="box-note" x=${t.x+t.width-12} y=${t.y+19} text-anchor="end">${W(s,t.width/2-16)}</text>`:H}</g>`}function Bt(t){const e=new URLSearchParams(location.hash.split("?")[1]);return e.set("group",t),`${G("components")}?${e}`}function Ut(t,e,s){const{row:o,x:n,y:r,width:a,height:l}=t,d=bt(o),c=p`<g transform="translate(${e?n+2:n+9} ${e?r+2:r+10})" class=${d==="bad"?"bad-mark":d}>${Wt(d)}</g>`;return p`<a href=${G("components",o.id)} data-id=${o.id} aria-label=${s}><title>${s}</title>
    <rect class="cell ${d==="bad"?"bad":""}" x=${n} y=${r} width=${a} height=${l} rx=${e?3:5}/>${c}
    ${e?H:p`<text class="name" x=${n+26} y=${r+19}>${W(o.id,a-34)}</text>`}</a>`}function Wt(t){return t==="ok"?p`<circle cx="5" cy="5" r="5"/>`:t==="warn"?p`<path d="M5 0 10 9.5H0z"/>`:t==="bad"?p`<path d="m0 2 2-2 3 3 3-3 2 2-3 3 3 3-2 2-3-3-3 3-2-2 3-3z"/>`:t==="info"?p`<path d="M5 0 10 5 5 10 0 5z"/>`:p`<rect x="1" y="1" width="8" height="8" rx="1" fill="none" stroke="currentColor" stroke-width="2"/>`}function Ht({from:t,to:e,edges:s,x1:o,y1:n,x2:r,y2:a,out:l,back:d}){const c=s.filter(m=>F(m.from.row)).length,$=`${x(e)} needs ${x(t)}: ${A(s.length,"dependency","dependencies")}${c?`, ${c} of them on what is in trouble`:""}`;return p`<g data-link="${t.name} ${e.name}"><title>${$}</title>
    <path class="edge ${c?"bad":""}" d="M${o} ${n}C${o} ${n+l} ${r} ${a+d} ${r} ${a}" marker-end="url(#arrow)"/>
    <text class="number" x=${r+6} y=${d<0?a-5:a+13}>${s.length}</text></g>`}function Gt(t,e){const s=e.edges.filter(n=>n.from===t||n.to===t),o=new Set([t,...s.flatMap(n=>[n.from,n.to])]);return p`${[...o].map(({x:n,y:r,width:a,height:l})=>p`<rect x=${n} y=${r} width=${a} height=${l} rx=${e.dense?3:5}/>`)}
    ${s.map(n=>lt(n,e.dense?Ft(n):ct(n),"own-arrow"))}`}function lt({from:t,to:e},s,o){return p`<path class="edge ${F(t.row)?"bad":""}" data-edge="${t.row.id} ${e.row.id}" d=${s} marker-end="url(#${o})"/>`}function ct({from:t,to:e}){const s=e.x>t.x+t.width,o=t.x+t.width,n=t.y+t.height/2,r=s?e.x-1:e.x+e.width+1,a=e.y+e.height/2,l=s?Math.max((r-o)/2,24):34;return`M${o} ${n}C${o+l} ${n} ${s?r-l:r+l} ${a} ${r} ${a}`}function Ft({from:t,to:e}){const[s,o]=[t.x+t.width/2,t.y+t.height/2],[n,r]=[e.x+e.width/2,e.y+e.height/2],a=et/Math.max(et,Math.hypot(n-s,r-o));return`M${s} ${o}L${(n-(n-s)*a).toFixed(1)} ${(r-(r-o)*a).toFixed(1)}`}function W(t,e){const s=Math.max(2,Math.floor(e/6.8));return t.length>s?`${t.slice(0,s-1)}…`:t}var Xt=Object.defineProperty,It=Object.getOwnPropertyDescriptor,O=(t,e,s,o)=>{for(var n=o>1?void 0:o?It(e,s):e,r=t.length-1,a;r>=0;r--)(a=t[r])&&(n=(o?a(e,s,n):a(n))||n);return o&&n&&Xt(e,s,n),n};const Kt=200;let y=class extends at{constructor(){super(...arguments),this.query=new URLSearchParams,this.view="map",this.group="",this.only="",this.live=new mt(this,["components","groups","figures"],Kt)}willUpdate(t){t.has("query")&&(this.view=this.query.get("view")==="list"?"list":this.query.get("view")==="map"?"map":st(),this.group=this.query.get("group")??"",this.only=this.query.get("only")??"")}set(t){t(),vt({view:this.view===st()?"":this.view,group:this.group,only:this.only})}rows(){const t=this.group?this.held(this.group,new Set):null;return v.list("components").filter(e=>t===null||e.groups.some(s=>t.has(s))||t.has(`=${e.id}`)).filter(e=>this.only===""||(this.only==="trouble"?F(e)||e.health!=="OK":e.state===this.only)).sort((e,s)=>e.id.localeCompare(s.id,void 0,{numeric:!0}))}held(t,e){if(e.has(t))return e;e.add(t);const s=v.rows("groups").get(t);return s?.components.forEach(o=>e.add(`=${o}`)),s?.groups.forEach(o=>this.held(o,e)),e}render(){const t=this.rows(),e=[...new Set(v.list("components").map(o=>o.state))].sort(),s=v.list("groups").map(o=>o.name).sort();return this.only&&this.only!=="trouble"&&!e.includes(this.only)&&e.push(this.only),this.group&&!s.includes(this.group)&&s.push(this.group),w`<div class="stack">
      <div class="row between">
        <h1>Components</h1>
        <div class="row">
          <label class="only-read" for="group">Group</label>
          <select id="group" @change=${o=>this.set(()=>this.group=o.target.value)}>
            <option value="" .selected=${this.group===""}>All groups</option>
            ${s.map(o=>w`<option .selected=${o===this.group}>${o}</option>`)}
          </select>
          <label class="only-read" for="only">State</label>
          <select id="only" @change=${o=>this.set(()=>this.only=o.target.value)}>
            <option value="" .selected=${this.only===""}>All states</option>
            <option value="trouble" .selected=${this.only==="trouble"}>In trouble</option>
            ${e.map(o=>w`<option .selected=${o===this.only}>${o}</option>`)}
          </select>
          <div class="row" role="group" aria-label="Shown as">
            <button aria-pressed=${this.view==="map"} class=${this.view==="map"?"primary":""} @click=${()=>this.set(()=>this.view="map")}>Map</button>
            <button aria-pressed=${this.view==="list"} class=${this.view==="list"?"primary":""} @click=${()=>this.set(()=>this.view="list")}>List</button>
          </div>
        </div>
      </div>
      ${t.length===0?w`<section class="card"><tri-empty heading=${v.rows("components").size?"Nothing fits":"No component is registered"}></tri-empty></section>`:this.view==="map"?w`<tri-map .rows=${t}></tri-map>`:this.list(t)}
    </div>`}list(t){return w`<section class="card flush"><tri-table searchable label="Components" sort="id" .columns=${[{key:"id",label:"Component",value:s=>s.id,cell:s=>w`<a href=${G("components",s.id)}>${s.id}</a>`},{key:"state",label:"State",width:"150px",value:s=>s.state,cell:s=>w`<tri-badge state=${s.state}></tri-badge>`},{key:"health",label:"Health",width:"140px",value:s=>B(s),cell:s=>w`<tri-badge state=${B(s)}></tri-badge>`},{key:"group",label:"Groups",extra:!0,value:s=>s.groups.join(", ")},{key:"desired",label:"Desired",width:"110px",extra:!0,value:s=>s.desired},{key:"needs",label:"Needs",extra:!0,value:s=>s.depends_on.join(", ")||null},{key:"seen",label:"Last seen",width:"110px",numeric:!0,extra:!0,value:s=>Y(s.id),cell:s=>yt(Y(s.id))},{key:"why",label:"Why",extra:!0,value:s=>s.reason||s.health_reason||(s.maintenance?`maintenance: ${s.maintenance.reason}`:null)}]} .rows=${t}></tri-table></section>`}};y.styles=ot;O([rt({attribute:!1})],y.prototype,"query",2);O([_()],y.prototype,"view",2);O([_()],y.prototype,"group",2);O([_()],y.prototype,"only",2);y=O([it("page-components")],y);function st(){return innerWidth<760?"list":"map"}export{y as Components};
