import{l as xe,o as ke,E as J,s as le,i as Me,n as ce,r as _,a as de,e as v,A as O,p as y,b as f,w as p,k as F,c as he,q as I,u as X,v as ue,x as Ee,L as Ae,y as Oe,d as _e}from"./index-WtE9gNb8.js";import{h as W,i as K,t as Se,s as Z}from"./component-shown-CGetDj15.js";import{b as pe}from"./every-CydfAgby.js";/**
 * @license
 * Copyright 2018 Google LLC
 * SPDX-License-Identifier: BSD-3-Clause
 */const De={},q=xe(class extends ke{constructor(){super(...arguments),this.ot=De}render(e,n){return n()}update(e,[n,s]){if(Array.isArray(n)){if(Array.isArray(this.ot)&&this.ot.length===n.length&&n.every((o,t)=>o===this.ot[t]))return J}else if(this.ot===n)return J;return this.ot=Array.isArray(n)?Array.from(n):n,this.render(n,s)}}),Ce=120,Te={width:168,height:30,gap:8,columns:1},Re={width:14,height:14,gap:4,columns:12},B=12,ee=30,Ne=64,T=18,Pe=52,te=24,Le=300,G=40,je="no group";function ne(e,n,s){const o=e.length>Ce,t=o?Re:Te,a=o?null:se(new Map(e.map(l=>[l.id,l.depends_on]))),i=new Map;for(const l of e){const h=l.groups[0]??je,u=i.get(h);u?u.push(l):i.set(h,[l])}const r=new Map(n.map(l=>[l.name,l])),c=o?se(qe(i)):null,d=l=>c?.get(l)??0,w=new Map;for(const[l,h]of[...i].sort(([u],[g])=>d(u)-d(g)||u.localeCompare(g,void 0,{numeric:!0}))){const u=a?Math.max(...h.map(g=>a.get(g.id)??0)):0;w.set(u,[...w.get(u)??[],{name:l,rows:h}])}const m=[];let D=0,x=0;const we=l=>Math.min(l,t.columns)*(t.width+t.gap)-t.gap+2*B;for(const[,l]of[...w].sort(([h],[u])=>h-u)){let h=0,u=0,g=D;for(const{name:E,rows:C}of l){const j=Math.max(we(C.length),o?150:0),ve=Math.ceil(C.length/t.columns),z=ee+ve*(t.height+t.gap)-t.gap+B;if((o||w.size===1)&&u>0){const $=m[m.length-1],A=d($.name)===d(E);A&&$.x+$.width+T+j<=s?(g=$.x+$.width+T,h=$.y):(g=D,h=x+(A?T:Pe))}const ye=C.map(($,A)=>({row:$,x:g+B+A%t.columns*(t.width+t.gap),y:h+ee+Math.floor(A/t.columns)*(t.height+t.gap),width:t.width,height:t.height})),be=n.filter($=>$.groups.includes(E)).map($=>$.name);m.push({name:E,title:r.get(E)?.title??"",real:C[0]?.groups[0]===E,within:be,x:g,y:h,width:j,height:z,cells:ye}),u=Math.max(u,g+j-D),x=Math.max(x,h+z),h+=z+T}D+=u+Ne}const L=new Map(m.flatMap(l=>l.cells.map(h=>[h.row.id,h]))),Q=[...L.values()].flatMap(l=>l.row.depends_on.flatMap(h=>{const u=L.get(h);return u?[{from:u,to:l}]:[]})),{links:me,shown:V}=Be(m,Q);return o&&(x=Math.max(x,...V.map(l=>Math.max(l.y1,l.y2)+(l.out>0&&l.back>0?G:0)))),{width:Math.max(0,...m.map(l=>l.x+l.width)),height:x,boxes:m,cells:L,edges:Q,links:me,shown:V,dense:o}}function ze(e){const n=new Map;for(const s of e)for(const o of s.depends_on){const t=n.get(o);t?t.push(s.id):n.set(o,[s.id])}return n.forEach(s=>s.sort()),n}function qe(e){const n=new Map([...e].flatMap(([s,o])=>o.map(t=>[t.id,s])));return new Map([...e].map(([s,o])=>{const t=new Set(o.flatMap(a=>a.depends_on.flatMap(i=>n.get(i)??[])));return t.delete(s),[s,[...t]]}))}function Be(e,n){const s=new Map(e.flatMap(i=>i.cells.map(r=>[r,i]))),o=new Map;for(const i of n){const[r,c]=[s.get(i.from),s.get(i.to)];if(r===c)continue;const d=o.get(r)??new Map;o.set(r,d);const w=d.get(c);w?w.push(i):d.set(c,[i])}const t=[...o].flatMap(([i,r])=>[...r].map(([c,d])=>We(i,c,d)));t.sort((i,r)=>r.edges.length-i.edges.length);const a=t.slice(0,Le);return Ue(a),{links:t,shown:a}}function Ue(e){const n=new Map,s=(t,a,i,r)=>{const c=`${a} ${t.name}`,d=n.get(c);d?d.push({box:t,other:i,put:r}):n.set(c,[{box:t,other:i,put:r}])};for(const t of e)s(t.from,t.y1,t.to,a=>t.x1=a),s(t.to,t.y2,t.from,a=>t.x2=a);const o=t=>t.x+t.width/2;for(const t of n.values())t.sort((a,i)=>o(a.other)-o(i.other)),t.forEach(({box:a,put:i},r)=>i(Math.round(a.x+a.width*(r+1)/(t.length+1))))}function We(e,n,s){const[o,t]=[e.y+e.height,n.y+n.height],a={from:e,to:n,edges:s,x1:e.x,x2:n.x};if(n.y>=o){const i=Math.max(te,(n.y-o)/2);return{...a,y1:o,y2:n.y,out:i,back:-i}}if(e.y>=t){const i=Math.max(te,(e.y-t)/2);return{...a,y1:e.y,y2:t,out:-i,back:i}}return{...a,y1:o,y2:t,out:G,back:G}}function se(e){const n=new Map,s=new Set,o=t=>{const a=n.get(t);if(a!==void 0)return a;const i=e.get(t);if(!i||s.has(t)||s.size>500)return-1;s.add(t);const r=Math.max(-1,...i.map(o))+1;return s.delete(t),n.set(t,r),r};return[...e.keys()].forEach(o),n}var Ge=Object.defineProperty,He=Object.getOwnPropertyDescriptor,P=(e,n,s,o)=>{for(var t=o>1?void 0:o?He(n,s):n,a=e.length-1,i;a>=0;a--)(i=e[a])&&(t=(o?i(n,s,t):i(t))||t);return o&&t&&Ge(n,s,t),t};const oe=8,ae=9;let M=class extends de{constructor(){super(...arguments),this.rows=[],this.width=1e3,this.chosen="",this.map=ne([],[],0),this.needed=new Map,this.resized=new ResizeObserver(([e])=>this.width=Math.round(e?.contentRect.width??1e3))}connectedCallback(){super.connectedCallback(),this.resized.observe(this)}disconnectedCallback(){super.disconnectedCallback(),this.resized.disconnect()}willUpdate(e){!e.has("rows")&&!e.has("width")||(this.map=ne(this.rows,v.list("groups"),Math.max(this.width-40,240)),this.needed=ze(v.list("components")))}point(e){const n=U(e.target)?.dataset.id;n!==void 0&&(this.chosen=n)}reach(e){const n=U(e.target);this.chosen=n?.dataset.id??"";const s=this.renderRoot.querySelector(".about");n&&s&&n.getBoundingClientRect().bottom>s.getBoundingClientRect().top&&n.scrollIntoView({block:"center"})}leave(){const e=this.renderRoot.activeElement;this.chosen=U(e)?.dataset.id??""}render(){const{map:e}=this,n=e.cells.get(this.chosen),[s,o]=[e.width+2,e.height+2];return f`<section class="card flush">
      <div class="map" tabindex="0" role="region" aria-label="Map of components">
        <svg width=${s} height=${o} viewBox="-1 -1 ${s} ${o}" role="group" aria-label=${`${y(this.rows.length,"component")} in ${y(e.boxes.length,"group")}; the list holds the same`}
          @pointerover=${this.point} @pointerleave=${this.leave} @focusin=${this.reach} @focusout=${()=>this.chosen=""}>
          <defs>${ie("arrow")}</defs>
          ${q([e],()=>Ie(e))}
          <g aria-hidden="true" class=${n?"faded":""}>${q([e],()=>e.dense?e.shown.map(Ve):e.edges.map(t=>fe(t,$e(t),"arrow")))}</g>
          ${q([e],()=>e.boxes.map(t=>t.cells.map(a=>Ye(a,e.dense,this.words(a.row)))))}
          <g class="own" aria-hidden="true"><defs>${ie("own-arrow")}</defs>${n?Je(n,e):O}</g>
        </svg>
      </div>
      <p class="about ${n?"chosen":""}" aria-hidden="true">${n?this.words(n.row):Fe(e)}</p>
      <div class="legend" aria-hidden="true">${["STARTED","READY","STOPPED","DEGRADED","FAULT"].map(t=>f`<tri-badge state=${t}></tri-badge>`)}</div>
    </section>`}words(e){return[`${e.id}: ${e.state}, ${W(e)}${e.reason?`, ${e.reason}`:""}`,...R("needs",e.depends_on),...R("needed by",this.needed.get(e.id)??[])].join("; ")}};M.styles=[le,Me`
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
    `];P([ce({attribute:!1})],M.prototype,"rows",2);P([_()],M.prototype,"width",2);P([_()],M.prototype,"chosen",2);M=P([he("tri-map")],M);function U(e){return e instanceof Element?e.closest("a[data-id]"):null}function R(e,n){if(n.length===0)return[];const s=n.length-oe;return[`${e} ${n.slice(0,oe).join(", ")}${s>0?` and ${y(s,"other")}`:""}`]}function Fe(e){if(!e.dense)return"An arrow leads from what is needed to what needs it.";const n=e.links.length-e.shown.length;return`An arrow leads from a group that is needed to one that needs it, with the number of dependencies. Point at a square, or go to it with Tab, for its name and its own.${n>0?` The ${e.shown.length} arrows with the most dependencies are drawn, ${n} are not.`:""}`}function ie(e){return p`<marker id=${e} viewBox="0 0 8 8" refX="7" refY="4" markerWidth="9" markerHeight="9" markerUnits="userSpaceOnUse" orient="auto"><path class="arrow" d="M0 0 8 4 0 8z" /></marker>`}function Ie({boxes:e,links:n}){const s=new Map(e.map(t=>[t,[]])),o=new Map(e.map(t=>[t,[]]));for(const{from:t,to:a,edges:i}of n)s.get(a).push(`${k(t)} (${i.length})`),o.get(t).push(`${k(a)} (${i.length})`);return e.map(t=>{const a=`${k(t)}: ${y(t.cells.length,"component")}`;return Xe(t,[a,...R("needs",s.get(t)),...R("needed by",o.get(t))].join("; "))})}function k(e){return e.title||e.name}function Xe(e,n){const s=e.within.length?`in ${e.within.join(", ")}`:"",o=p`<text class="box-name" x=${e.x+12} y=${e.y+19}>${H(k(e),e.width-24)}</text>`;return p`<g><rect class="box" x=${e.x} y=${e.y} width=${e.width} height=${e.height} rx="6"/>
    ${e.real?p`<a href=${Ke(e.name)} aria-label=${n}><title>${n}</title>${o}</a>`:o}
    ${s?p`<text class="box-note" x=${e.x+e.width-12} y=${e.y+19} text-anchor="end">${H(s,e.width/2-16)}</text>`:O}</g>`}function Ke(e){const n=new URLSearchParams(location.hash.split("?")[1]);return n.set("group",e),`${F("components")}?${n}`}function Ye(e,n,s){const{row:o,x:t,y:a,width:i,height:r}=e,c=Se(o),d=p`<g transform="translate(${n?t+2:t+9} ${n?a+2:a+10})" class=${c==="bad"?"bad-mark":c}>${Qe(c)}</g>`;return p`<a href=${F("components",o.id)} data-id=${o.id} aria-label=${s}><title>${s}</title>
    <rect class="cell ${c==="bad"?"bad":""}" x=${t} y=${a} width=${i} height=${r} rx=${n?3:5}/>${d}
    ${n?O:p`<text class="name" x=${t+26} y=${a+19}>${H(o.id,i-34)}</text>`}</a>`}function Qe(e){return e==="ok"?p`<circle cx="5" cy="5" r="5"/>`:e==="warn"?p`<path d="M5 0 10 9.5H0z"/>`:e==="bad"?p`<path d="m0 2 2-2 3 3 3-3 2 2-3 3 3 3-2 2-3-3-3 3-2-2 3-3z"/>`:e==="info"?p`<path d="M5 0 10 5 5 10 0 5z"/>`:p`<rect x="1" y="1" width="8" height="8" rx="1" fill="none" stroke="currentColor" stroke-width="2"/>`}function Ve({from:e,to:n,edges:s,x1:o,y1:t,x2:a,y2:i,out:r,back:c}){const d=s.filter(m=>K(m.from.row)).length,w=`${k(n)} needs ${k(e)}: ${y(s.length,"dependency","dependencies")}${d?`, ${d} of them on what is in trouble`:""}`;return p`<g data-link="${e.name} ${n.name}"><title>${w}</title>
    <path class="edge ${d?"bad":""}" d="M${o} ${t}C${o} ${t+r} ${a} ${i+c} ${a} ${i}" marker-end="url(#arrow)"/>
    <text class="number" x=${a+6} y=${c<0?i-5:i+13}>${s.length}</text></g>`}function Je(e,n){const s=n.edges.filter(t=>t.from===e||t.to===e),o=new Set([e,...s.flatMap(t=>[t.from,t.to])]);return p`${[...o].map(({x:t,y:a,width:i,height:r})=>p`<rect x=${t} y=${a} width=${i} height=${r} rx=${n.dense?3:5}/>`)}
    ${s.map(t=>fe(t,n.dense?Ze(t):$e(t),"own-arrow"))}`}function fe({from:e,to:n},s,o){return p`<path class="edge ${K(e.row)?"bad":""}" data-edge="${e.row.id} ${n.row.id}" d=${s} marker-end="url(#${o})"/>`}function $e({from:e,to:n}){const s=n.x>e.x+e.width,o=e.x+e.width,t=e.y+e.height/2,a=s?n.x-1:n.x+n.width+1,i=n.y+n.height/2,r=s?Math.max((a-o)/2,24):34;return`M${o} ${t}C${o+r} ${t} ${s?a-r:a+r} ${i} ${a} ${i}`}function Ze({from:e,to:n}){const[s,o]=[e.x+e.width/2,e.y+e.height/2],[t,a]=[n.x+n.width/2,n.y+n.height/2],i=ae/Math.max(ae,Math.hypot(t-s,a-o));return`M${s} ${o}L${(t-(t-s)*i).toFixed(1)} ${(a-(a-o)*i).toFixed(1)}`}function H(e,n){const s=Math.max(2,Math.floor(n/6.8));return e.length>s?`${e.slice(0,s-1)}…`:e}const N="neither",ge="Who joins the group later is not meant.",Y=(e,n)=>`/v1/groups/${encodeURIComponent(e)}${n}`;async function et({name:e,size:n},s){const o=y(n,"component"),t=await I({heading:`Desired state of ${e}`,text:`The supervision brings ${o} there, each after what it needs, and back when one leaves it. ${ge} Now: ${tt(s)}.`,action:"Set",fields:f`<div class="field"><label for="desired">State</label><select id="desired" name="state" required><option value="">Choose …</option><option>STARTED</option><option>STOPPED</option><option value=${N}>neither: left as they are</option></select></div>`,run:a=>ue(Y(e,"/desired"),{state:a.state===N?null:a.state,by:pe()})});t&&X(`${e}: desired state of ${o} is ${t.state}`)}function tt(e){const n=new Map;for(const s of e)n.set(s.desired??N,(n.get(s.desired??N)??0)+1);return[...n].map(([s,o])=>`${s} for ${o}`).join(", ")}async function nt({name:e,size:n}){const s=y(n,"component");await I({heading:`Maintenance of ${e}`,text:`The supervision, plans and playbooks leave ${s} alone until maintenance ends. ${ge}`,action:"Begin maintenance",reason:{label:"Reason",required:!0,placeholder:"belt change"},run:t=>ue(Y(e,"/maintenance"),{reason:t.reason,by:pe()})})&&X(`${e}: ${s} in maintenance`)}async function st({name:e,size:n},s){await I({heading:`End the maintenance of ${e}?`,text:`Of ${y(n,"component")} ${s} ${s===1?"is":"are"} in maintenance.`,action:"End maintenance",run:()=>Ee(Y(e,"/maintenance"))})&&X(`${e}: maintenance ended`)}var ot=Object.defineProperty,at=Object.getOwnPropertyDescriptor,S=(e,n,s,o)=>{for(var t=o>1?void 0:o?at(n,s):n,a=e.length-1,i;a>=0;a--)(i=e[a])&&(t=(o?i(n,s,t):i(t))||t);return o&&t&&ot(n,s,t),t};const it=200;let b=class extends de{constructor(){super(...arguments),this.query=new URLSearchParams,this.view="map",this.group="",this.only="",this.live=new Ae(this,["components","groups","figures"],it)}willUpdate(e){e.has("query")&&(this.view=this.query.get("view")==="list"?"list":this.query.get("view")==="map"?"map":re(),this.group=this.query.get("group")??"",this.only=this.query.get("only")??"")}set(e){e(),Oe({view:this.view===re()?"":this.view,group:this.group,only:this.only})}members(){const e=v.list("components");if(!this.group)return e;const n=this.held(this.group,new Set);return e.filter(s=>s.groups.some(o=>n.has(o))||n.has(`=${s.id}`))}shown(e){return e.filter(n=>this.only===""||(this.only==="trouble"?K(n)||n.health!=="OK":n.state===this.only)).sort((n,s)=>n.id.localeCompare(s.id,void 0,{numeric:!0}))}held(e,n){if(n.has(e))return n;n.add(e);const s=v.rows("groups").get(e);return s?.components.forEach(o=>n.add(`=${o}`)),s?.groups.forEach(o=>this.held(o,n)),n}render(){const e=this.members(),n=this.shown(e),s=[...new Set(v.list("components").map(t=>t.state))].sort(),o=v.list("groups").map(t=>t.name).sort();return this.only&&this.only!=="trouble"&&!s.includes(this.only)&&s.push(this.only),this.group&&!o.includes(this.group)&&o.push(this.group),f`<div class="stack">
      <div class="row between">
        <h1>Components</h1>
        <div class="row">
          <label class="only-read" for="group">Group</label>
          <select id="group" @change=${t=>this.set(()=>this.group=t.target.value)}>
            <option value="" .selected=${this.group===""}>All groups</option>
            ${o.map(t=>f`<option .selected=${t===this.group}>${t}</option>`)}
          </select>
          <label class="only-read" for="only">State</label>
          <select id="only" @change=${t=>this.set(()=>this.only=t.target.value)}>
            <option value="" .selected=${this.only===""}>All states</option>
            <option value="trouble" .selected=${this.only==="trouble"}>In trouble</option>
            ${s.map(t=>f`<option .selected=${t===this.only}>${t}</option>`)}
          </select>
          <div class="row" role="group" aria-label="Shown as">
            <button aria-pressed=${this.view==="map"} class=${this.view==="map"?"primary":""} @click=${()=>this.set(()=>this.view="map")}>Map</button>
            <button aria-pressed=${this.view==="list"} class=${this.view==="list"?"primary":""} @click=${()=>this.set(()=>this.view="list")}>List</button>
          </div>
        </div>
      </div>
      ${this.group?this.whole(v.rows("groups").get(this.group),e):O}
      ${n.length===0?f`<section class="card"><tri-empty heading=${v.rows("components").size?"Nothing fits":"No component is registered"}></tri-empty></section>`:this.view==="map"?f`<tri-map .rows=${n}></tri-map>`:this.list(n)}
    </div>`}whole(e,n){if(!e)return O;const{name:s,state:o}=e,t=Object.entries(o.counts).filter(([,r])=>r>0).map(([r,c])=>`${c} ${r}`);o.offline&&t.push(`${o.offline} OFFLINE`),o.absent&&t.push(`${o.absent} not registered`);const a=n.filter(r=>r.maintenance).length,i=e.size===0?`${s} has no components.`:"";return f`<section class="card row between" aria-labelledby="h-group">
      <div class="row"><h2 id="h-group">${e.title||s}</h2><tri-badge state=${o.state}></tri-badge><span class="muted small">${t.join(", ")}</span></div>
      <div class="row" role="group" aria-label="Actions on the group">
        <tri-action method="PUT" path="/v1/groups/{name}/desired" hinder=${i} .run=${()=>et(e,n)}>Desired state</tri-action>
        <tri-action method="PUT" path="/v1/groups/{name}/maintenance" hinder=${i||(a===e.size?`All of ${s} is in maintenance.`:"")} .run=${()=>nt(e)}>Maintenance</tri-action>
        <tri-action method="DELETE" path="/v1/groups/{name}/maintenance" hinder=${i||(a===0?`Nothing of ${s} is in maintenance.`:"")} .run=${()=>st(e,a)}>End maintenance</tri-action>
      </div>
    </section>`}list(e){return f`<section class="card flush"><tri-table searchable label="Components" sort="id" .columns=${[{key:"id",label:"Component",value:s=>s.id,cell:s=>f`<a href=${F("components",s.id)}>${s.id}</a>`},{key:"state",label:"State",width:"150px",value:s=>s.state,cell:s=>f`<tri-badge state=${s.state}></tri-badge>`},{key:"health",label:"Health",width:"140px",value:s=>W(s),cell:s=>f`<tri-badge state=${W(s)}></tri-badge>`},{key:"group",label:"Groups",extra:!0,value:s=>s.groups.join(", ")},{key:"desired",label:"Desired",width:"110px",extra:!0,value:s=>s.desired},{key:"needs",label:"Needs",extra:!0,value:s=>s.depends_on.join(", ")||null},{key:"seen",label:"Last seen",width:"110px",numeric:!0,extra:!0,value:s=>Z(s.id),cell:s=>_e(Z(s.id))},{key:"why",label:"Why",extra:!0,value:s=>s.reason||s.health_reason||(s.maintenance?`maintenance: ${s.maintenance.reason}`:null)}]} .rows=${e}></tri-table></section>`}};b.styles=le;S([ce({attribute:!1})],b.prototype,"query",2);S([_()],b.prototype,"view",2);S([_()],b.prototype,"group",2);S([_()],b.prototype,"only",2);b=S([he("page-components")],b);function re(){return innerWidth<760?"list":"map"}export{b as Components};
