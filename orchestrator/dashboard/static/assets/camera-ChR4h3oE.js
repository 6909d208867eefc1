import{a as h,g as f,b as a,A as c,H as $,k as p,f as i,s as u,i as v,n as g,c as b}from"./index-DRkjX7RG.js";import{P as _}from"./polled-BU2n1_IC.js";import{R as w}from"./dead-BMi5c5Xa.js";var P=Object.defineProperty,y=Object.getOwnPropertyDescriptor,m=(e,d,r,s)=>{for(var t=s>1?void 0:s?y(d,r):d,o=e.length-1,l;o>=0;o--)(l=e[o])&&(t=(s?l(d,r,t):l(t))||t);return s&&t&&P(d,r,t),t};const x=1e3;let n=class extends h{constructor(){super(...arguments),this.params={},this.rates=new w,this.polled=new _(this,e=>f(`/v1/frames/cameras/${encodeURIComponent(this.params.id??"")}`,void 0,{signal:e}),x,e=>this.rates.add([e]))}willUpdate(e){const d=e.get("params");d&&d.id!==this.params.id&&this.hasUpdated&&this.polled.restart()}render(){const e=this.polled.value,d=a`<div class="row between"><h1>${e?.id??this.params.id}</h1><a class="button" href="#/frames">All cameras</a></div>`,r=this.polled.error?a`<tri-error .error=${this.polled.error} .retry=${()=>this.polled.refresh()}></tri-error>`:c;if(!e)return a`<div class="stack">${d}${r===c?a`<tri-loading what="the camera"></tri-loading>`:r}</div>`;const s=this.rates.of(e.id),t=Object.entries(e.dropped_by_reason);return a`<div class="stack">
      ${d}
      ${r}
      <div class="wide">
        <section class="card flush" aria-label="Last picture"><tri-picture .camera=${e}></tri-picture></section>
        <section class="card" aria-label="Facts">
          <dl class="facts num">
            <dt>Rate</dt><dd>${s===null?"–":`${$(Math.round(s*10)/10)} frames a second`}</dd>
            <dt>Last frame</dt><dd>${e.last_sequence===null?"none yet":a`<a href=${p("frames","frame",`${e.id}:${e.last_sequence}`)}>${i(e.last_sequence)}</a>`}</dd>
            ${e.picture?a`<dt>Picture of</dt><dd><a href=${p("frames","frame",`${e.id}:${e.picture.sequence}`)}>${e.picture.frame_id}</a></dd>`:c}
            <dt>Published</dt><dd>${i(e.published)}</dd>
            <dt>Settled</dt><dd>${i(e.settled)}</dd>
            <dt>Dead</dt><dd>${i(e.dead)}</dd>
            <dt>Dropped</dt><dd>${i(e.dropped)}${t.length?` (${t.map(([o,l])=>`${o} ${i(l)}`).join(", ")})`:""}</dd>
            <dt>In flight</dt><dd>${i(e.in_flight)}</dd>
            <dt>Policy</dt><dd>${e.policy??"not told"}</dd>
            <dt>Shard</dt><dd>${e.shard}</dd>
            <dt>Session</dt><dd><code>${e.session||"–"}</code></dd>
          </dl>
        </section>
      </div>
      ${e.dead?a`<h2>Dead frames</h2><tri-dead .camera=${e.id}></tri-dead>`:c}
    </div>`}};n.styles=[u,v`
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
    `];m([g({attribute:!1})],n.prototype,"params",2);n=m([b("page-camera")],n);export{n as Page};
