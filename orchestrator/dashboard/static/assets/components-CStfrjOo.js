import{l as Me,o as Ee,E as J,s as ce,i as Ae,n as de,r as _,a as he,e as v,A as O,p as y,b as f,q as ue,w as p,k as F,c as pe,u as I,v as X,x as fe,y as Oe,L as _e,z as Se,d as De}from"./index-DRkjX7RG.js";import{h as W,i as K,t as Ce,s as Z}from"./component-shown-CXb_gVNc.js";import{b as $e}from"./every-dSeuuQNj.js";/**
 * @license
 * Copyright 2018 Google LLC
 * SPDX-License-Identifier: BSD-3-Clause
 */const Te={},q=Me(class extends Ee{constructor(){super(...arguments),this.ot=Te}render(e,t){return t()}update(e,[t,s]){if(Array.isArray(t)){if(Array.isArray(this.ot)&&this.ot.length===t.length&&t.every((o,n)=>o===this.ot[n]))return J}else if(this.ot===t)return J;return this.ot=Array.isArray(t)?Array.from(t):t,this.render(t,s)}}),Re=120,Ne={width:168,height:30,gap:8,columns:1},Pe={width:14,height:14,gap:4,columns:12},B=12,ee=30,Le=64,T=18,ze=52,te=24,je=300,G=40,qe="no group";function ne(e,t,s){const o=e.length>Re,n=o?Pe:Ne,a=o?null:se(new Map(e.map(l=>[l.id,l.depends_on]))),i=new Map;for(const l of e){const h=l.groups[0]??qe,u=i.get(h);u?u.push(l):i.set(h,[l])}const r=new Map(t.map(l=>[l.name,l])),c=o?se(Ue(i)):null,d=l=>c?.get(l)??0,w=new Map;for(const[l,h]of[...i].sort(([u],[g])=>d(u)-d(g)||u.localeCompare(g,void 0,{numeric:!0}))){const u=a?Math.max(...h.map(g=>a.get(g.id)??0)):0;w.set(u,[...w.get(u)??[],{name:l,rows:h}])}const m=[];let D=0,x=0;const ve=l=>Math.min(l,n.columns)*(n.width+n.gap)-n.gap+2*B;for(const[,l]of[...w].sort(([h],[u])=>h-u)){let h=0,u=0,g=D;for(const{name:E,rows:C}of l){const z=Math.max(ve(C.length),o?150:0),be=Math.ceil(C.length/n.columns),j=ee+be*(n.height+n.gap)-n.gap+B;if((o||w.size===1)&&u>0){const $=m[m.length-1],A=d($.name)===d(E);A&&$.x+$.width+T+z<=s?(g=$.x+$.width+T,h=$.y):(g=D,h=x+(A?T:ze))}const xe=C.map(($,A)=>({row:$,x:g+B+A%n.columns*(n.width+n.gap),y:h+ee+Math.floor(A/n.columns)*(n.height+n.gap),width:n.width,height:n.height})),ke=t.filter($=>$.groups.includes(E)).map($=>$.name);m.push({name:E,title:r.get(E)?.title??"",real:C[0]?.groups[0]===E,within:ke,x:g,y:h,width:z,height:j,cells:xe}),u=Math.max(u,g+z-D),x=Math.max(x,h+j),h+=j+T}D+=u+Le}const L=new Map(m.flatMap(l=>l.cells.map(h=>[h.row.id,h]))),Q=[...L.values()].flatMap(l=>l.row.depends_on.flatMap(h=>{const u=L.get(h);return u?[{from:u,to:l}]:[]})),{links:ye,shown:V}=We(m,Q);return o&&(x=Math.max(x,...V.map(l=>Math.max(l.y1,l.y2)+(l.out>0&&l.back>0?G:0)))),{width:Math.max(0,...m.map(l=>l.x+l.width)),height:x,boxes:m,cells:L,edges:Q,links:ye,shown:V,dense:o}}function Be(e){const t=new Map;for(const s of e)for(const o of s.depends_on){const n=t.get(o);n?n.push(s.id):t.set(o,[s.id])}return t.forEach(s=>s.sort()),t}function Ue(e){const t=new Map([...e].flatMap(([s,o])=>o.map(n=>[n.id,s])));return new Map([...e].map(([s,o])=>{const n=new Set(o.flatMap(a=>a.depends_on.flatMap(i=>t.get(i)??[])));return n.delete(s),[s,[...n]]}))}function We(e,t){const s=new Map(e.flatMap(i=>i.cells.map(r=>[r,i]))),o=new Map;for(const i of t){const[r,c]=[s.get(i.from),s.get(i.to)];if(r===c)continue;const d=o.get(r)??new Map;o.set(r,d);const w=d.get(c);w?w.push(i):d.set(c,[i])}const n=[...o].flatMap(([i,r])=>[...r].map(([c,d])=>He(i,c,d)));n.sort((i,r)=>r.edges.length-i.edges.length);const a=n.slice(0,je);return Ge(a),{links:n,shown:a}}function Ge(e){const t=new Map,s=(n,a,i,r)=>{const c=`${a} ${n.name}`,d=t.get(c);d?d.push({box:n,other:i,put:r}):t.set(c,[{box:n,other:i,put:r}])};for(const n of e)s(n.from,n.y1,n.to,a=>n.x1=a),s(n.to,n.y2,n.from,a=>n.x2=a);const o=n=>n.x+n.width/2;for(const n of t.values())n.sort((a,i)=>o(a.other)-o(i.other)),n.forEach(({box:a,put:i},r)=>i(Math.round(a.x+a.width*(r+1)/(n.length+1))))}function He(e,t,s){const[o,n]=[e.y+e.height,t.y+t.height],a={from:e,to:t,edges:s,x1:e.x,x2:t.x};if(t.y>=o){const i=Math.max(te,(t.y-o)/2);return{...a,y1:o,y2:t.y,out:i,back:-i}}if(e.y>=n){const i=Math.max(te,(e.y-n)/2);return{...a,y1:e.y,y2:n,out:-i,back:i}}return{...a,y1:o,y2:n,out:G,back:G}}function se(e){const t=new Map,s=new Set,o=n=>{const a=t.get(n);if(a!==void 0)return a;const i=e.get(n);if(!i||s.has(n)||s.size>500)return-1;s.add(n);const r=Math.max(-1,...i.map(o))+1;return s.delete(n),t.set(n,r),r};return[...e.keys()].forEach(o),t}var Fe=Object.defineProperty,Ie=Object.getOwnPropertyDescriptor,P=(e,t,s,o)=>{for(var n=o>1?void 0:o?Ie(t,s):t,a=e.length-1,i;a>=0;a--)(i=e[a])&&(n=(o?i(t,s,n):i(n))||n);return o&&n&&Fe(t,s,n),n};const oe=8,ae=9;let M=class extends he{constructor(){super(...arguments),this.rows=[],this.width=1e3,this.chosen="",this.map=ne([],[],0),this.needed=new Map,this.resized=new ResizeObserver(([e])=>this.width=Math.round(e?.contentRect.width??1e3))}connectedCallback(){super.connectedCallback(),this.resized.observe(this)}disconnectedCallback(){super.disconnectedCallback(),this.resized.disconnect()}willUpdate(e){!e.has("rows")&&!e.has("width")||(this.map=ne(this.rows,v.list("groups"),Math.max(this.width-40,240)),this.needed=Be(v.list("components")))}point(e){const t=U(e.target)?.dataset.id;t!==void 0&&(this.chosen=t)}reach(e){const t=U(e.target);this.chosen=t?.dataset.id??"";const s=this.renderRoot.querySelector(".about");t?.matches(":focus-visible")&&s&&t.getBoundingClientRect().bottom>s.getBoundingClientRect().top&&t.scrollIntoView({block:"center"})}leave(){const e=this.renderRoot.activeElement;this.chosen=U(e)?.dataset.id??""}render(){const{map:e}=this,t=e.cells.get(this.chosen),[s,o]=[e.width+2,e.height+2];return f`<section class="card flush">
      <div class="map" tabindex="0" role="region" aria-label="Map of components">
        <svg width=${s} height=${o} viewBox="-1 -1 ${s} ${o}" role="group" aria-label=${`${y(this.rows.length,"component")} in ${y(e.boxes.length,"group")}; the list holds the same`}
          @pointerover=${this.point} @pointerleave=${this.leave} @focusin=${this.reach} @focusout=${()=>this.chosen=""}>
          <defs>${ie("arrow")}</defs>
          ${q([e],()=>Ke(e))}
          <g aria-hidden="true" class=${t?"faded":""}>${q([e],()=>e.dense?e.shown.map(Ze):e.edges.map(n=>ge(n,we(n),"arrow")))}</g>
          ${q([e],()=>this.cells())}
          <g class="own" aria-hidden="true"><defs>${ie("own-arrow")}</defs>${t?et(t,e):O}</g>
        </svg>
      </div>
      <p class="about ${t?"chosen":""}" aria-hidden="true">${t?this.words(t.row):Xe(e)}</p>
      <div class="legend" aria-hidden="true">${["STARTED","READY","STOPPED","DEGRADED","FAULT"].map(n=>f`<tri-badge state=${n}></tri-badge>`)}</div>
    </section>`}cells(){return ue(this.map.boxes.flatMap(e=>e.cells),e=>e.row.id,e=>Ve(e,this.map.dense,this.words(e.row)))}words(e){return[`${e.id}: ${e.state}, ${W(e)}${e.reason?`, ${e.reason}`:""}`,...R("needs",e.depends_on),...R("needed by",this.needed.get(e.id)??[])].join("; ")}};M.styles=[ce,Ae`
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
    `];P([de({attribute:!1})],M.prototype,"rows",2);P([_()],M.prototype,"width",2);P([_()],M.prototype,"chosen",2);M=P([pe("tri-map")],M);function U(e){return e instanceof Element?e.closest("a[data-id]"):null}function R(e,t){if(t.length===0)return[];const s=t.length-oe;return[`${e} ${t.slice(0,oe).join(", ")}${s>0?` and ${y(s,"other")}`:""}`]}function Xe(e){if(!e.dense)return"An arrow leads from what is needed to what needs it.";const t=e.links.length-e.shown.length;return`An arrow leads from a group that is needed to one that needs it, with the number of dependencies. Point at a square, or go to it with Tab, for its name and its own.${t>0?` The ${e.shown.length} arrows with the most dependencies are drawn, ${t} are not.`:""}`}function ie(e){return p`<marker id=${e} viewBox="0 0 8 8" refX="7" refY="4" markerWidth="9" markerHeight="9" markerUnits="userSpaceOnUse" orient="auto"><path class="arrow" d="M0 0 8 4 0 8z" /></marker>`}function Ke({boxes:e,links:t}){const s=new Map(e.map(a=>[a,[]])),o=new Map(e.map(a=>[a,[]]));for(const{from:a,to:i,edges:r}of t)s.get(i).push(`${k(a)} (${r.length})`),o.get(a).push(`${k(i)} (${r.length})`);const n=a=>[`${k(a)}: ${y(a.cells.length,"component")}`,...R("needs",s.get(a)),...R("needed by",o.get(a))].join("; ");return ue(e,a=>a.name,a=>Ye(a,n(a)))}function k(e){return e.title||e.name}function Ye(e,t){const s=e.within.length?`in ${e.within.join(", ")}`:"",o=p`<text class="box-name" x=${e.x+12} y=${e.y+19}>${H(k(e),e.width-24)}</text>`;return p`<g><rect class="box" x=${e.x} y=${e.y} width=${e.width} height=${e.height} rx="6"/>
    ${e.real?p`<a href=${Qe(e.name)} aria-label=${t}><title>${t}</title>${o}</a>`:o}
    ${s?p`<text class="box-note" x=${e.x+e.width-12} y=${e.y+19} text-anchor="end">${H(s,e.width/2-16)}</text>`:O}</g>`}function Qe(e){const t=new URLSearchParams(location.hash.split("?")[1]);return t.set("group",e),`${F("components")}?${t}`}function Ve(e,t,s){const{row:o,x:n,y:a,width:i,height:r}=e,c=Ce(o),d=p`<g transform="translate(${t?n+2:n+9} ${t?a+2:a+10})" class=${c==="bad"?"bad-mark":c}>${Je(c)}</g>`;return p`<a href=${F("components",o.id)} data-id=${o.id} aria-label=${s}><title>${s}</title>
    <rect class="cell ${c==="bad"?"bad":""}" x=${n} y=${a} width=${i} height=${r} rx=${t?3:5}/>${d}
    ${t?O:p`<text class="name" x=${n+26} y=${a+19}>${H(o.id,i-34)}</text>`}</a>`}function Je(e){return e==="ok"?p`<circle cx="5" cy="5" r="5"/>`:e==="warn"?p`<path d="M5 0 10 9.5H0z"/>`:e==="bad"?p`<path d="m0 2 2-2 3 3 3-3 2 2-3 3 3 3-2 2-3-3-3 3-2-2 3-3z"/>`:e==="info"?p`<path d="M5 0 10 5 5 10 0 5z"/>`:p`<rect x="1" y="1" width="8" height="8" rx="1" fill="none" stroke="currentColor" stroke-width="2"/>`}function Ze({from:e,to:t,edges:s,x1:o,y1:n,x2:a,y2:i,out:r,back:c}){const d=s.filter(m=>K(m.from.row)).length,w=`${k(t)} needs ${k(e)}: ${y(s.length,"dependency","dependencies")}${d?`, ${d} of them on what is in trouble`:""}`;return p`<g data-link="${e.name} ${t.name}"><title>${w}</title>
    <path class="edge ${d?"bad":""}" d="M${o} ${n}C${o} ${n+r} ${a} ${i+c} ${a} ${i}" marker-end="url(#arrow)"/>
    <text class="number" x=${a+6} y=${c<0?i-5:i+13}>${s.length}</text></g>`}function et(e,t){const s=t.edges.filter(n=>n.from===e||n.to===e),o=new Set([e,...s.flatMap(n=>[n.from,n.to])]);return p`${[...o].map(({x:n,y:a,width:i,height:r})=>p`<rect x=${n} y=${a} width=${i} height=${r} rx=${t.dense?3:5}/>`)}
    ${s.map(n=>ge(n,t.dense?tt(n):we(n),"own-arrow"))}`}function ge({from:e,to:t},s,o){return p`<path class="edge ${K(e.row)?"bad":""}" data-edge="${e.row.id} ${t.row.id}" d=${s} marker-end="url(#${o})"/>`}function we({from:e,to:t}){const s=t.x>e.x+e.width,o=e.x+e.width,n=e.y+e.height/2,a=s?t.x-1:t.x+t.width+1,i=t.y+t.height/2,r=s?Math.max((a-o)/2,24):34;return`M${o} ${n}C${o+r} ${n} ${s?a-r:a+r} ${i} ${a} ${i}`}function tt({from:e,to:t}){const[s,o]=[e.x+e.width/2,e.y+e.height/2],[n,a]=[t.x+t.width/2,t.y+t.height/2],i=ae/Math.max(ae,Math.hypot(n-s,a-o));return`M${s} ${o}L${(n-(n-s)*i).toFixed(1)} ${(a-(a-o)*i).toFixed(1)}`}function H(e,t){const s=Math.max(2,Math.floor(t/6.8));return e.length>s?`${e.slice(0,s-1)}…`:e}const N="neither",me="Who joins the group later is not meant.",Y=(e,t)=>`/v1/groups/${encodeURIComponent(e)}${t}`;async function nt({name:e,size:t,state:s},o){const n=y(t,"component"),a=await I({heading:`Desired state of ${e}`,text:`The supervision brings ${n} there, each after what it needs, and back when one leaves it. ${me} ${st(o,s.absent)}`,action:"Set",fields:f`<div class="field"><label for="desired">State</label><select id="desired" name="state" required><option value="">Choose …</option><option>STARTED</option><option>STOPPED</option><option value=${N}>neither: left as they are</option></select></div>`,run:i=>fe(Y(e,"/desired"),{state:i.state===N?null:i.state,by:$e()})});a&&X(`${e}: desired state of ${n} is ${a.state}`)}function st(e,t){const s=new Map;for(const n of e)s.set(n.desired??N,(s.get(n.desired??N)??0)+1);const o=[...s].map(([n,a])=>`${n} for ${a}`);return t&&o.push(`${t} not registered`),o.length?`Now: ${o.join(", ")}.`:""}async function ot({name:e,size:t}){const s=y(t,"component");await I({heading:`Maintenance of ${e}`,text:`The supervision, plans and playbooks leave ${s} alone until maintenance ends. ${me}`,action:"Begin maintenance",reason:{label:"Reason",required:!0,placeholder:"belt change"},run:n=>fe(Y(e,"/maintenance"),{reason:n.reason,by:$e()})})&&X(`${e}: ${s} in maintenance`)}async function at({name:e,size:t,state:s},o){await I({heading:`End the maintenance of ${e}?`,text:`Of ${y(t,"component")} ${o} ${re(o)} in maintenance${s.absent?`, ${s.absent} ${re(s.absent)} not registered and may be, too`:""}.`,action:"End maintenance",run:()=>Oe(Y(e,"/maintenance"))})&&X(`${e}: maintenance ended`)}function re(e){return e===1?"is":"are"}var it=Object.defineProperty,rt=Object.getOwnPropertyDescriptor,S=(e,t,s,o)=>{for(var n=o>1?void 0:o?rt(t,s):t,a=e.length-1,i;a>=0;a--)(i=e[a])&&(n=(o?i(t,s,n):i(n))||n);return o&&n&&it(t,s,n),n};const lt=200;let b=class extends he{constructor(){super(...arguments),this.query=new URLSearchParams,this.view="map",this.group="",this.only="",this.live=new _e(this,["components","groups","figures"],lt)}willUpdate(e){e.has("query")&&(this.view=this.query.get("view")==="list"?"list":this.query.get("view")==="map"?"map":le(),this.group=this.query.get("group")??"",this.only=this.query.get("only")??"")}set(e){e(),Se({view:this.view===le()?"":this.view,group:this.group,only:this.only})}members(){const e=v.list("components");if(!this.group)return e;const t=this.held(this.group,new Set);return e.filter(s=>s.groups.some(o=>t.has(o))||t.has(`=${s.id}`))}shown(e){return e.filter(t=>this.only===""||(this.only==="trouble"?K(t)||t.health!=="OK":t.state===this.only)).sort((t,s)=>t.id.localeCompare(s.id,void 0,{numeric:!0}))}held(e,t){if(t.has(e))return t;t.add(e);const s=v.rows("groups").get(e);return s?.components.forEach(o=>t.add(`=${o}`)),s?.groups.forEach(o=>this.held(o,t)),t}render(){const e=this.members(),t=this.shown(e),s=[...new Set(v.list("components").map(n=>n.state))].sort(),o=v.list("groups").map(n=>n.name).sort();return this.only&&this.only!=="trouble"&&!s.includes(this.only)&&s.push(this.only),this.group&&!o.includes(this.group)&&o.push(this.group),f`<div class="stack">
      <div class="row between">
        <h1>Components</h1>
        <div class="row">
          <label class="only-read" for="group">Group</label>
          <select id="group" @change=${n=>this.set(()=>this.group=n.target.value)}>
            <option value="" .selected=${this.group===""}>All groups</option>
            ${o.map(n=>f`<option .selected=${n===this.group}>${n}</option>`)}
          </select>
          <label class="only-read" for="only">State</label>
          <select id="only" @change=${n=>this.set(()=>this.only=n.target.value)}>
            <option value="" .selected=${this.only===""}>All states</option>
            <option value="trouble" .selected=${this.only==="trouble"}>In trouble</option>
            ${s.map(n=>f`<option .selected=${n===this.only}>${n}</option>`)}
          </select>
          <div class="row" role="group" aria-label="Shown as">
            <button aria-pressed=${this.view==="map"} class=${this.view==="map"?"primary":""} @click=${()=>this.set(()=>this.view="map")}>Map</button>
            <button aria-pressed=${this.view==="list"} class=${this.view==="list"?"primary":""} @click=${()=>this.set(()=>this.view="list")}>List</button>
          </div>
        </div>
      </div>
      ${this.group?this.whole(v.rows("groups").get(this.group),e):O}
      ${t.length===0?f`<section class="card"><tri-empty heading=${v.rows("components").size?"Nothing fits":"No component is registered"}></tri-empty></section>`:this.view==="map"?f`<tri-map .rows=${t}></tri-map>`:this.list(t)}
    </div>`}whole(e,t){if(!e)return O;const{name:s,state:o}=e,n=Object.entries(o.counts).filter(([,c])=>c>0).map(([c,d])=>`${d} ${c}`);o.offline&&n.push(`${o.offline} OFFLINE`),o.absent&&n.push(`${o.absent} not registered`);const a=t.filter(c=>c.maintenance).length,i=a===0&&!o.absent,r=e.size===0?`${s} has no components.`:"";return f`<section class="card row between" aria-labelledby="h-group">
      <div class="row"><h2 id="h-group">${e.title||s}</h2><tri-badge state=${o.state}></tri-badge><span class="muted small">${n.join(", ")}</span></div>
      <div class="row" role="group" aria-label="Actions on the group">
        <tri-action method="PUT" path="/v1/groups/{name}/desired" hinder=${r} .run=${()=>nt(e,t)}>Desired state</tri-action>
        <tri-action method="PUT" path="/v1/groups/{name}/maintenance" hinder=${r||(a===e.size?`All of ${s} is in maintenance.`:"")} .run=${()=>ot(e)}>Maintenance</tri-action>
        <tri-action method="DELETE" path="/v1/groups/{name}/maintenance" hinder=${r||(i?`Nothing of ${s} is in maintenance.`:"")} .run=${()=>at(e,a)}>End maintenance</tri-action>
      </div>
    </section>`}list(e){return f`<section class="card flush"><tri-table searchable label="Components" sort="id" .columns=${[{key:"id",label:"Component",value:s=>s.id,cell:s=>f`<a href=${F("components",s.id)}>${s.id}</a>`},{key:"state",label:"State",width:"150px",value:s=>s.state,cell:s=>f`<tri-badge state=${s.state}></tri-badge>`},{key:"health",label:"Health",width:"140px",value:s=>W(s),cell:s=>f`<tri-badge state=${W(s)}></tri-badge>`},{key:"group",label:"Groups",extra:!0,value:s=>s.groups.join(", ")},{key:"desired",label:"Desired",width:"110px",extra:!0,value:s=>s.desired},{key:"needs",label:"Needs",extra:!0,value:s=>s.depends_on.join(", ")||null},{key:"seen",label:"Last seen",width:"110px",numeric:!0,extra:!0,value:s=>Z(s.id),cell:s=>De(Z(s.id))},{key:"why",label:"Why",extra:!0,value:s=>s.reason||s.health_reason||(s.maintenance?`maintenance: ${s.maintenance.reason}`:null)}]} .rows=${e}></tri-table></section>`}};b.styles=ce;S([de({attribute:!1})],b.prototype,"query",2);S([_()],b.prototype,"view",2);S([_()],b.prototype,"group",2);S([_()],b.prototype,"only",2);b=S([pe("page-components")],b);function le(){return innerWidth<760?"list":"map"}export{b as Components};
