import{i as k,L as $,C as h,v as m,s as x,b as r,z as g,k as w,e as O,I as C,l as P,m as S,o as q,u as _}from"./index-CrQ9lWJO.js";import{S as L,w as y,i as d,t as E}from"./shown-Bjcu1f6m.js";var U=Object.defineProperty,j=Object.getOwnPropertyDescriptor,v=(e,a,s,o)=>{for(var l=o>1?void 0:o?j(a,s):a,n=e.length-1,i;n>=0;n--)(i=e[n])&&(l=(o?i(a,s,l):i(l))||l);return o&&l&&U(a,s,l),l};function b(e){return e.duration_s!==null?e.duration_s:e.started&&d(e)?Math.max(0,(h.now()-C(e.started))/1e3):null}const N=[{key:"status",label:"State",value:e=>e.status,cell:e=>r`<tri-badge tone=${E(e.status)} state=${e.status} label=${y(e.status)}></tri-badge>`,width:"124px"},{key:"playbook",label:"Playbook",value:e=>e.playbook,cell:e=>r`<a href=${w("executions",e.id)} aria-label="${e.playbook}, execution ${e.id}">${e.playbook}</a>`,width:"24%"},{key:"id",label:"Execution",value:e=>e.id,cell:e=>r`<code title=${e.id}>${e.id}</code>`,extra:!0},{key:"created",label:"Began",value:e=>e.created,cell:e=>r`<tri-time .value=${e.started??e.created}></tri-time>`,width:"116px"},{key:"took",label:"Took",value:b,cell:e=>O(b(e)),numeric:!0,width:"96px"},{key:"who",label:"By",value:e=>e.who||null,width:"96px",extra:!0},{key:"error",label:"Why it ended",value:e=>e.error||null,cell:e=>r`<span title=${e.error}>${e.error||"–"}</span>`,extra:!0}];let u=class extends k{constructor(){super(...arguments),this.query=new URLSearchParams,this.live=new $(this,["executions"]),this.off=null}connectedCallback(){super.connectedCallback(),this.off=h.everySecond(()=>this.requestUpdate())}disconnectedCallback(){super.disconnectedCallback(),this.off?.()}set(e,a){const s=new URLSearchParams(this.query);a?s.set(e,a):s.delete(e),this.query=s,m(Object.fromEntries(s))}render(){const e=x.list("executions"),a=this.query.get("playbook")??"",s=this.query.get("state")??"",o=a?e.filter(t=>t.playbook===a):e,l=t=>s===""||(s==="open"?d(t):t.status===s.toUpperCase()),n=t=>o.filter(c=>t==="open"?d(c):c.status===t).length,i=[...new Set(e.map(t=>t.playbook))].sort();a&&!i.includes(a)&&i.push(a);const p=(t,c,f)=>r`<button aria-pressed=${s===t?"true":"false"} @click=${()=>this.set("state",t)}>${c} <span class="num muted">${g(f)}</span></button>`;return r`<div class="stack">
      <div class="row between">
        <h1>Executions</h1>
        <div class="row">
          <label for="playbook">Playbook</label>
          <select id="playbook" @change=${t=>this.set("playbook",t.target.value)}>
            <option value="">all</option>
            ${i.map(t=>r`<option value=${t} ?selected=${t===a}>${t}</option>`)}
          </select>
        </div>
      </div>
      <div class="chips" role="group" aria-label="Only those in the state">
        ${p("","All",o.length)} ${p("open","Open",n("open"))}
        ${L.map(t=>p(t.toLowerCase(),y(t),n(t)))}
      </div>
      <section class="card flush">
        <tri-table label="Executions" searchable sort="-created" .columns=${N} .rows=${o.filter(l)} empty=${e.length?"None in this state":"Nothing has run yet"}></tri-table>
      </section>
    </div>`}};u.styles=[P,S`
      :host {
        display: block;
      }
      .chips {
        display: flex;
        flex-wrap: wrap;
        gap: var(--space-1);
      }
      .chips button {
        border-radius: 15px;
      }
      .chips button[aria-pressed="true"] {
        border-color: var(--accent);
        background: var(--accent-soft);
        color: var(--accent);
      }
    `];v([q({attribute:!1})],u.prototype,"query",2);u=v([_("page-executions")],u);export{u as Page};
