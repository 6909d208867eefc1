import{i as h,g as f,b as t,A as c,h as $,j as p,z as a,k as u,l as v,m as b,q as g}from"./index-EO7dy8v3.js";import{P as _}from"./polled-BU2n1_IC.js";import{R as w}from"./dead-Cd3mS5wV.js";var y=Object.defineProperty,P=Object.getOwnPropertyDescriptor,m=(e,d,s,i)=>{for(var r=i>1?void 0:i?P(d,s):d,l=e.length-1,n;l>=0;l--)(n=e[l])&&(r=(i?n(d,s,r):n(r))||r);return i&&r&&y(d,s,r),r};const x=1e3;let o=class extends h{constructor(){super(...arguments),this.params={},this.rates=new w,this.polled=new _(this,e=>f(`/v1/frames/cameras/${encodeURIComponent(this.params.id??"")}`,void 0,{signal:e}),x,e=>this.rates.add([e]))}willUpdate(e){const d=e.get("params");d&&d.id!==this.params.id&&this.hasUpdated&&this.polled.restart()}render(){const e=this.polled.value;if(!e)return this.polled.error?t`<tri-error .error=${this.polled.error} .retry=${()=>this.polled.refresh()}></tri-error>`:t`<tri-loading what="the camera"></tri-loading>`;const d=this.rates.of(e.id),s=Object.entries(e.dropped_by_reason);return t`<div class="stack">
      <div class="row between"><h1>${e.id}</h1><a class="button" href="#/frames">All cameras</a></div>
      ${this.polled.error?t`<tri-error .error=${this.polled.error} .retry=${()=>this.polled.refresh()}></tri-error>`:c}
      <div class="wide">
        <section class="card flush" aria-label="Last picture"><tri-picture .camera=${e}></tri-picture></section>
        <section class="card" aria-label="Facts">
          <dl class="facts num">
            <dt>Rate</dt><dd>${d===null?"–":`${$(Math.round(d*10)/10)} frames a second`}</dd>
            <dt>Last frame</dt><dd>${e.last_sequence===null?"none yet":t`<a href=${p("frames","frame",`${e.id}:${e.last_sequence}`)}>${a(e.last_sequence)}</a>`}</dd>
            ${e.picture?t`<dt>Picture of</dt><dd><a href=${p("frames","frame",`${e.id}:${e.picture.sequence}`)}>${e.picture.frame_id}</a></dd>`:c}
            <dt>Published</dt><dd>${a(e.published)}</dd>
            <dt>Settled</dt><dd>${a(e.settled)}</dd>
            <dt>Dead</dt><dd>${a(e.dead)}</dd>
            <dt>Dropped</dt><dd>${a(e.dropped)}${s.length?` (${s.map(([i,r])=>`${i} ${a(r)}`).join(", ")})`:""}</dd>
            <dt>In flight</dt><dd>${a(e.in_flight)}</dd>
            <dt>Policy</dt><dd>${e.policy??"not told"}</dd>
            <dt>Shard</dt><dd>${e.shard}</dd>
            <dt>Session</dt><dd><code>${e.session||"–"}</code></dd>
          </dl>
        </section>
      </div>
      ${e.dead?t`<h2>Dead frames</h2><tri-dead .camera=${e.id}></tri-dead>`:c}
    </div>`}};o.styles=[u,v`
      :host {
        display: block;
      }
      dd a {
        text-decoration: underline;
      }
      .wide {
        display: grid;
        gap: var(--space-4);
        grid-template-columns: minmax(0, 1fr);
      }
      @media (min-width: 900px) {
        .wide {
          grid-template-columns: minmax(0, 640px) minmax(0, 1fr);
        }
      }
    `];m([b({attribute:!1})],o.prototype,"params",2);o=m([g("page-camera")],o);export{o as Page};
