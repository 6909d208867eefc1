import{s as u,i as d,n as p,a as m,L as h,I as b,b as s,A as f,k as v,c as $}from"./index-DRkjX7RG.js";var g=Object.defineProperty,x=Object.getOwnPropertyDescriptor,c=(a,e,n,r)=>{for(var t=r>1?void 0:r?x(e,n):e,l=a.length-1,o;l>=0;l--)(o=a[l])&&(t=(r?o(e,n,t):o(t))||t);return r&&t&&g(e,n,t),t};const y=300;let i=class extends m{constructor(){super(...arguments),this.about="",this.most=6,this.live=new h(this,["policies","alerts","executions","journal","cluster","components"],y)}render(){const a=b.list(this.about).slice(0,this.most);return a.length===0?s`<tri-empty heading="Nothing was decided yet"></tri-empty>`:s`<ul>
      ${a.map(e=>s`<li>
        <tri-badge state=${e.level} label=${e.source}></tri-badge>
        <span class="wrap">${this.about||!e.about?f:e.href?s`<a href=${e.href}>${e.about}</a> `:s`${e.about} `}${e.execution?s`<a href=${v("executions",e.execution)}>${e.what}</a>`:e.what} <span class="muted">${e.why}</span></span>
        <tri-time class="muted" .value=${e.at/1e3}></tri-time>
      </li>`)}
    </ul>`}};i.styles=[u,d`
      ul {
        list-style: none;
      }
      li {
        display: grid;
        grid-template-columns: max-content minmax(0, 1fr) max-content;
        gap: var(--space-3);
        align-items: baseline;
        padding: var(--space-2) var(--space-4);
        border-top: 1px solid var(--line);
        font-size: var(--text-s);
      }
      li:first-child {
        border-top: 0;
      }
      a {
        text-decoration: underline;
      }
    `];c([p()],i.prototype,"about",2);c([p({type:Number})],i.prototype,"most",2);i=c([$("tri-decisions")],i);
