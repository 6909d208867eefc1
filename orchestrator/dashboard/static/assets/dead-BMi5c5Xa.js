import{R as D,s as b,i as w,n as P,r as d,a as $,j as q,b as n,d as S,A as l,c as v,g as k,q as N,k as O,H as T,f as u,C as j,v as E,p as y,u as A}from"./index-DRkjX7RG.js";import{P as C}from"./polled-BU2n1_IC.js";const U=4;let g=0;const _=[];async function L(){return g>=U&&await new Promise(e=>_.push(e)),g+=1,()=>{g-=1,_.shift()?.()}}async function z(e,t){const s=await L();try{t.throwIfAborted();const r=performance.now(),a=await D(`/v1/frames/cameras/${encodeURIComponent(e)}/picture`,void 0,t);if(!a)return null;const i=Number.parseFloat(a.headers.get("X-Triarch-Picture-Age")??""),o=Number.parseInt(a.headers.get("X-Triarch-Picture-Sequence")??"",10);return{url:a.url,sequence:Number.isNaN(o)?null:o,age:Number.isNaN(i)?null:i,at:r}}finally{s()}}const M=3,te=[{word:"normal",tone:"ok",means:"Cameras publish as they like."},{word:"low",tone:"info",means:"Queues fill; nobody is slowed yet."},{word:"high",tone:"warn",means:"Producers halve their rates."},{word:"critical",tone:"bad",means:"Producers pause; urgent frames go on."}];var I=Object.defineProperty,V=Object.getOwnPropertyDescriptor,f=(e,t,s,r)=>{for(var a=r>1?void 0:r?V(t,s):t,i=e.length-1,o;i>=0;i--)(o=e[i])&&(a=(r?o(t,s,a):o(a))||a);return r&&a&&I(t,s,a),a};let h=class extends ${constructor(){super(...arguments),this.shown=null,this.failed=!1,this.inView=!1,this.fetching=null,this.off=null,this.sight=new IntersectionObserver(([e])=>{this.inView=e?.isIntersecting??!1,this.want()})}connectedCallback(){super.connectedCallback(),this.off=q.everySecond(()=>this.requestUpdate()),this.sight.observe(this)}disconnectedCallback(){super.disconnectedCallback(),this.off?.(),this.sight.disconnect(),this.fetching?.abort(),this.fetching=null,this.show(null)}willUpdate(e){if(!e.has("camera"))return;const t=e.get("camera");t&&t.id!==this.camera.id&&(this.fetching?.abort(),this.fetching=null,this.show(null)),this.want()}get age(){return this.shown&&this.shown.age!==null?this.shown.age+(performance.now()-this.shown.at)/1e3:null}want(){!this.inView||this.fetching||!this.camera?.picture||this.shown&&this.shown.sequence===this.camera.picture.sequence||this.fetch()}async fetch(){const e=this.fetching=new AbortController,t=this.camera.id;try{const s=await z(t,e.signal);if(e.signal.aborted){s&&URL.revokeObjectURL(s.url);return}this.failed=!1,s&&this.show({...s,sequence:s.sequence??this.camera.picture?.sequence??null})}catch{e.signal.aborted||(this.failed=!0)}this.fetching===e&&(this.fetching=null)}show(e){this.shown&&URL.revokeObjectURL(this.shown.url),this.shown=e}render(){if(!this.shown){const r=this.camera.picture===null;return n`<figure class="none-yet">
        <div class="none">${r?n`<strong>No picture</strong><span class="small">None was left in the last ten minutes.</span>`:this.failed?"The picture could not be fetched":"…"}</div>
      </figure>`}const e=this.age,t=e===null||e>M,s=e===null?"of unknown age":`${e<10?e.toFixed(1):Math.round(e)} s`.replace(/^(\d{3,}) s$/,()=>S(e??0));return n`<figure class=${t?"old":""} data-old=${t?"yes":"no"} data-sequence=${this.shown.sequence??l}>
      <img src=${this.shown.url} alt=${`${t?"Old picture":"Last picture"} of camera ${this.camera.id}, ${e===null?s:`${s} old`}`} />
      <figcaption aria-hidden="true">${e===null?"OLD? age unknown":t?`OLD · ${s}`:`${s} ago`}</figcaption>
    </figure>`}};h.styles=[b,w`
      :host {
        display: block;
      }
      figure {
        position: relative;
        aspect-ratio: var(--picture-ratio, 4 / 3);
        overflow: hidden;
        background: var(--surface-3);
      }
      img {
        display: block;
        width: 100%;
        height: 100%;
        object-fit: contain;
      }
      figure.old img {
        filter: grayscale(1) contrast(0.75);
        opacity: 0.55;
      }
      figcaption {
        position: absolute;
        right: 6px;
        bottom: 6px;
        padding: 1px 7px;
        border-radius: 10px;
        background: var(--surface);
        color: var(--ink-2);
        font-size: var(--text-xs);
        font-weight: 600;
        line-height: 18px;
        font-variant-numeric: tabular-nums;
        white-space: nowrap;
      }
      figure.old figcaption {
        background: var(--warn-soft);
        color: var(--warn);
        outline: 1px solid var(--warn);
      }
      .none {
        position: absolute;
        inset: 0;
        display: grid;
        place-content: center;
        justify-items: center;
        gap: 4px;
        padding: var(--space-3);
        color: var(--ink-2);
        font-size: var(--text-s);
        text-align: center;
      }
    `];f([P({attribute:!1})],h.prototype,"camera",2);f([d()],h.prototype,"shown",2);f([d()],h.prototype,"failed",2);h=f([v("tri-picture")],h);var B=Object.defineProperty,F=Object.getOwnPropertyDescriptor,R=(e,t,s,r)=>{for(var a=r>1?void 0:r?F(t,s):t,i=e.length-1,o;i>=0;i--)(o=e[i])&&(a=(r?o(t,s,a):o(a))||a);return r&&a&&B(t,s,a),a};const x=24,G=1e3,X=5;class Y{constructor(){this.seen=new Map}add(t){const s=performance.now()/1e3;for(const r of this.seen.keys())t.some(a=>a.id===r)||this.seen.delete(r);for(const{id:r,published:a}of t){const i=this.seen.get(r)??[];for(i.push({at:s,published:a});i.length>2&&s-i[0].at>X;)i.shift();this.seen.set(r,i)}}of(t){const s=this.seen.get(t)??[],[r,a]=[s[0],s[s.length-1]];return r&&a&&a.at-r.at>.5?(a.published-r.published)/(a.at-r.at):null}}let p=class extends ${constructor(){super(...arguments),this.behind=[],this.cursor="",this.rates=new Y,this.polled=new C(this,e=>k("/v1/frames/cameras",{limit:x,cursor:this.cursor},{signal:e}),G,e=>this.rates.add(e.cameras))}turn(e,t){this.cursor=e,this.behind=t,this.polled.restart()}render(){const e=this.polled.value;if(!e)return this.polled.error?n`<tri-error .error=${this.polled.error} .retry=${()=>this.polled.refresh()}></tri-error>`:n`<tri-loading what="cameras"></tri-loading>`;if(e.cameras.length===0&&this.behind.length===0)return n`<tri-empty heading="No camera has published yet"></tri-empty>`;const t=this.behind.length*x;return n`${this.polled.error?n`<tri-error .error=${this.polled.error}></tri-error>`:l}
      <ul aria-label="Cameras">
        ${N(e.cameras,s=>s.id,s=>this.card(s))}
      </ul>
      ${this.behind.length||e.cursor?n`<nav class="row" aria-label="Pages of cameras">
            <button ?disabled=${this.behind.length===0} @click=${()=>this.turn(this.behind[this.behind.length-1]??"",this.behind.slice(0,-1))}>Before</button>
            <span class="small muted num">${t+1} to ${t+e.cameras.length}</span>
            <button ?disabled=${!e.cursor} @click=${()=>this.turn(e.cursor??"",[...this.behind,this.cursor])}>Next</button>
          </nav>`:l}`}card(e){const t=this.rates.of(e.id);return n`<li data-camera=${e.id}>
      <tri-picture .camera=${e}></tri-picture>
      <div class="below">
        <div class="row between">
          <a href=${O("frames","camera",e.id)}>${e.id}</a>
          <span class="num">${t===null?"–":n`${T(Math.round(t*10)/10)} <span class="muted">fps</span>`}</span>
        </div>
        <div class="row between small muted num">
          <span>${e.last_sequence===null?"no frame yet":`frame ${u(e.last_sequence)}`}</span>
          <span>${u(e.in_flight)} in flight</span>
        </div>
        ${e.dead||e.dropped?n`<div class="small">${e.dead?n`<tri-badge tone="bad" state="${u(e.dead)} dead"></tri-badge> `:l}${e.dropped?n`<tri-badge tone="warn" state="${u(e.dropped)} dropped"></tri-badge>`:l}</div>`:l}
      </div>
    </li>`}};p.styles=[b,w`
      :host {
        display: block;
      }
      ul {
        display: grid;
        gap: var(--space-3);
        grid-template-columns: repeat(auto-fill, minmax(min(100%, 210px), 1fr));
        list-style: none;
      }
      li {
        overflow: hidden;
        border: 1px solid var(--line);
        border-radius: var(--radius);
        background: var(--surface);
      }
      .below {
        display: grid;
        gap: 2px;
        padding: var(--space-2) var(--space-3);
        font-size: var(--text-s);
      }
      .below a {
        font-weight: 600;
        overflow-wrap: anywhere;
      }
      nav {
        margin-top: var(--space-3);
      }
    `];R([d()],p.prototype,"behind",2);p=R([v("tri-cameras")],p);var H=Object.defineProperty,K=Object.getOwnPropertyDescriptor,m=(e,t,s,r)=>{for(var a=r>1?void 0:r?K(t,s):t,i=e.length-1,o;i>=0;i--)(o=e[i])&&(a=(r?o(t,s,a):o(a))||a);return r&&a&&H(t,s,a),a};const Q=200,J=3e3,W=300;let c=class extends ${constructor(){super(...arguments),this.camera="",this.reason="",this.chosen=new Set,this.polled=new C(this,e=>k("/v1/frames/dead",{limit:Q,camera:this.camera,reason:this.reason},{signal:e}),J,e=>{const t=new Set(e.frames.map(s=>s.entry_id));this.chosen=new Set([...this.chosen].filter(s=>t.has(s)))})}disconnectedCallback(){super.disconnectedCallback(),clearTimeout(this.timer)}filter(e,t){this[e]=t.trim(),clearTimeout(this.timer),this.timer=setTimeout(()=>this.polled.restart(),W)}choose(e,t){const s=new Set(this.chosen);t?s.add(e):s.delete(e),this.chosen=s}async handle(e,t){let[s,r]=[0,0],a="";for(;a!==null;){const i=await j(`/v1/frames/dead/${e}`,a?{...t,cursor:a}:t);s+=i.done,r+=i.not_found+i.refused,a=t.all?i.cursor:null}E(`${y(s,"frame")} ${e==="replay"?"on the way again":"dropped for good"}${r?`, ${r} left as they were`:""}`,r>0),this.chosen=new Set,this.polled.refresh()}confirm(e){const t=[...this.chosen],s=[this.camera&&`of camera ${this.camera}`,this.reason&&`whose reason holds “${this.reason}”`].filter(Boolean).join(", "),r=t.length?y(t.length,"chosen frame"):s?`all dead frames ${s}`:"all dead frames";return A({heading:`${e==="replay"?"Replay":"Drop"} ${r}?`,text:e==="replay"?"They go their way again as if they had never failed.":"Their bytes are deleted for good. The ledger keeps that they died.",action:e==="replay"?"Replay":"Drop",danger:e==="drop",run:()=>this.handle(e,t.length?{ids:t}:{all:!0,camera:this.camera,reason:this.reason})})}columns(){return[{key:"chosen",label:"",value:e=>this.chosen.has(e.entry_id)?1:0,cell:e=>n`<input type="checkbox" aria-label="Choose ${e.frame_id}" .checked=${this.chosen.has(e.entry_id)} @change=${t=>this.choose(e.entry_id,t.target.checked)} />`,width:"48px",sortable:!1},{key:"frame",label:"Frame",value:e=>`${e.camera_id}:${e.sequence}`,cell:e=>n`<a href=${O("frames","frame",`${e.camera_id}:${e.sequence}`)}>${e.frame_id}</a>`,width:"24%"},{key:"reason",label:"Reason",value:e=>e.reason,cell:e=>n`<span title=${e.reason}>${e.reason}</span>`},{key:"attempts",label:"Attempts",value:e=>e.attempts,numeric:!0,width:"88px",extra:!0},{key:"processor",label:"Processor",value:e=>e.processor_id||null,width:"130px",extra:!0},{key:"died",label:"Died",value:e=>e.died_ms,cell:e=>n`<tri-time .value=${e.died_ms/1e3}></tri-time>`,width:"110px"}]}render(){const e=this.polled.value,t=this.chosen.size>0,s=!e||e.frames.length===0?"There is none.":"";return n`<section class="card flush">
      <div class="bar">
        <div class="field"><label for="camera">Camera</label><input id="camera" type="search" maxlength="64" .value=${this.camera} @input=${r=>this.filter("camera",r.target.value)} /></div>
        <div class="field"><label for="reason">Reason holds</label><input id="reason" type="search" maxlength="500" .value=${this.reason} @input=${r=>this.filter("reason",r.target.value)} /></div>
        <span class="room"></span>
        <tri-action method="POST" path="/v1/frames/dead/replay" kind="primary" .hinder=${s} .run=${()=>this.confirm("replay")}>${t?`Replay ${this.chosen.size} …`:"Replay all …"}</tri-action>
        <tri-action method="POST" path="/v1/frames/dead/drop" kind="danger" .hinder=${s} .run=${()=>this.confirm("drop")}>${t?`Drop ${this.chosen.size} …`:"Drop all …"}</tri-action>
      </div>
      ${this.polled.error?n`<tri-error .error=${this.polled.error} .retry=${()=>this.polled.refresh()}></tri-error>`:l}
      ${e?n`<tri-table label="Dead frames" .columns=${this.columns()} .rows=${e.frames} .rowKey=${r=>r.entry_id} empty="No dead frames"></tri-table>
            ${e.cursor?n`<p class="muted small">The oldest ${e.frames.length} are shown; there are more.</p>`:l}`:this.polled.error?l:n`<tri-loading what="dead frames"></tri-loading>`}
    </section>`}};c.styles=[b,w`
      :host {
        display: block;
      }
      .bar {
        display: flex;
        flex-wrap: wrap;
        align-items: end;
        gap: var(--space-3);
        padding: var(--space-3) var(--space-4);
        border-bottom: 1px solid var(--line);
      }
      .bar .room {
        flex: 1;
      }
      .bar input {
        width: 180px;
      }
    `];m([P()],c.prototype,"camera",2);m([d()],c.prototype,"reason",2);m([d()],c.prototype,"chosen",2);c=m([v("tri-dead")],c);export{te as P,Y as R};
