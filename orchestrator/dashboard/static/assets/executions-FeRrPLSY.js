import{a as m,L as x,j as f,z as g,e as O,b as r,f as w,k as P,d as S,O as q,s as C,i as _,n as E,c as L}from"./index-DRkjX7RG.js";import{s as c,S as U,w as v,i as h,t as j,e as p}from"./shown-Dvog4kQy.js";var N=Object.defineProperty,T=Object.getOwnPropertyDescriptor,$=(e,a,s,o)=>{for(var l=o>1?void 0:o?T(a,s):a,n=e.length-1,i;n>=0;n--)(i=e[n])&&(l=(o?i(a,s,l):i(l))||l);return o&&l&&N(a,s,l),l};function y(e){return e.duration_s!==null?e.duration_s:e.started&&h(e)?Math.max(0,(f.now()-q(e.started))/1e3):null}const A=[{key:"status",label:"State",value:c,cell:e=>r`<tri-badge tone=${j(c(e))} state=${c(e)} label=${v(c(e))} title=${p(e)}></tri-badge>`,width:"124px"},{key:"playbook",label:"Playbook",value:e=>e.playbook,cell:e=>r`<a href=${P("executions",e.id)} aria-label="${e.playbook}, execution ${e.id}">${e.playbook}</a>`,width:"24%"},{key:"id",label:"Execution",value:e=>e.id,cell:e=>r`<code title=${e.id}>${e.id}</code>`,extra:!0},{key:"created",label:"Began",value:e=>e.created,cell:e=>r`<tri-time .value=${e.started??e.created}></tri-time>`,width:"116px"},{key:"took",label:"Took",value:y,cell:e=>S(y(e)),numeric:!0,width:"96px"},{key:"who",label:"By",value:e=>e.who||null,width:"96px",extra:!0},{key:"error",label:"Error",value:e=>p(e)||null,cell:e=>r`<span title=${p(e)}>${p(e)||"–"}</span>`,extra:!0}];let d=class extends m{constructor(){super(...arguments),this.query=new URLSearchParams,this.live=new x(this,["executions"]),this.off=null}connectedCallback(){super.connectedCallback(),this.off=f.everySecond(()=>this.requestUpdate())}disconnectedCallback(){super.disconnectedCallback(),this.off?.()}set(e,a){const s=new URLSearchParams(this.query);a?s.set(e,a):s.delete(e),this.query=s,g(Object.fromEntries(s))}render(){const e=O.list("executions"),a=this.query.get("playbook")??"",s=this.query.get("state")??"",o=a?e.filter(t=>t.playbook===a):e,l=t=>s===""||(s==="open"?h(t):c(t)===s.toUpperCase()),n=t=>o.filter(u=>t==="open"?h(u):c(u)===t).length,i=[...new Set(e.map(t=>t.playbook))].sort();a&&!i.includes(a)&&i.push(a);const b=(t,u,k)=>r`<button aria-pressed=${s===t?"true":"false"} @click=${()=>this.set("state",t)}>${u} <span class="num muted">${w(k)}</span></button>`;return r`<div class="stack">
      <div class="row between">
        <h1>Executions</h1>
        <div class="row">
          <label for="playbook">Playbook</label>
          <select id="playbook" @change=${t=>this.set("playbook",t.target.value)}>
            <option value="" .selected=${a===""}>all</option>
            ${i.map(t=>r`<option value=${t} .selected=${t===a}>${t}</option>`)}
          </select>
        </div>
      </div>
      <div class="chips" role="group" aria-label="Only those in the state">
        ${b("","All",o.length)} ${b("open","Open",n("open"))}
        ${U.map(t=>b(t.toLowerCase(),v(t),n(t)))}
      </div>
      <section class="card flush">
        <tri-table label="Executions" searchable sort="-created" .columns=${A} .rows=${o.filter(l)} empty=${e.length?"None in this state":"Nothing has run yet"}></tri-table>
      </section>
    </div>`}};d.styles=[C,_`
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
    `];$([E({attribute:!1})],d.prototype,"query",2);d=$([L("page-executions")],d);export{d as Page};
