const __vite__mapDeps=(i,m=__vite__mapDeps,d=(m.f||(m.f=["assets/overview-CjNehu0i.js","assets/chart-FQkoBnzL.js","assets/every-CK3W2cWn.js","assets/shown-Dvog4kQy.js","assets/components-CitwJHWu.js","assets/component-D5qIvVlU.js","assets/executions-DNRLpqVy.js","assets/execution-QRGsOUxb.js","assets/polled-BU2n1_IC.js","assets/frames-Ccl7Uf66.js","assets/dead-RAOoCC4l.js","assets/camera-24r4trBh.js","assets/frame-Bk1oYaky.js","assets/alerts-ChZccGTc.js","assets/journal-Rx24tA5-.js","assets/access-vdLhpvvS.js"])))=>i.map(i=>d[i]);
class ts{constructor(){this.offset=0,this.listeners=new Set,this.timer=null}now(){return Date.now()+this.offset}async set(){const t=Date.now(),s=await fetch("/healthz",{cache:"no-store"}).catch(()=>null),r=Date.parse(s?.headers.get("Date")??""),i=Date.now(),n=r+500-(t+i)/2;Number.isNaN(n)||(this.offset=Math.abs(n)<1500?0:n)}everySecond(t){return this.listeners.add(t),this.timer??=setInterval(()=>this.listeners.forEach(s=>s()),1e3),()=>{this.listeners.delete(t),this.listeners.size===0&&this.timer!==null&&(clearInterval(this.timer),this.timer=null)}}}const N=new ts,Bt=new Intl.DateTimeFormat(void 0,{hour:"2-digit",minute:"2-digit",second:"2-digit",hourCycle:"h23"}),Tt=new Intl.DateTimeFormat(void 0,{year:"numeric",month:"short",day:"2-digit"}),Et=new Intl.NumberFormat(void 0,{maximumFractionDigits:0}),G=new Intl.NumberFormat(void 0,{maximumFractionDigits:1}),es=new Intl.NumberFormat(void 0,{maximumSignificantDigits:3});function Nt(e){return e==null?"–":Et.format(e)}function Zr(e){return e==null?"–":Math.abs(e)>=1e3?Et.format(e):Math.abs(e)>=10?G.format(e):es.format(e)}function ti(e){return e==null?"–":(e>=100?Et:G).format(e)}function ei(e){return e==null?"–":`${G.format(e*100)} %`}function si(e){if(e==null)return"–";let t=e;for(const s of["B","KiB","MiB","GiB"]){if(t<1024)return`${G.format(t)} ${s}`;t/=1024}return`${G.format(t)} TiB`}function L(e){if(e==null||!Number.isFinite(e))return"–";const t=Math.max(0,e);return t<1?`${t.toFixed(2)} s`:t<10?`${G.format(t)} s`:t<60?`${Math.round(t)} s`:t<3600?Dt(Math.floor(t/60),"min",Math.round(t%60),"s"):t<86400?Dt(Math.floor(t/3600),"h",Math.round(t%3600/60),"min"):Dt(Math.floor(t/86400),"d",Math.round(t%86400/3600),"h")}function Dt(e,t,s,r){return s===0?`${e} ${t}`:`${e} ${t} ${s} ${r}`}function A(e){return typeof e=="number"?e*1e3:Date.parse(e)}function ss(e){if(e==null)return"–";const t=A(e);return Number.isNaN(t)?String(e):Tt.format(N.now())===Tt.format(t)?Bt.format(t):`${Tt.format(t)} ${Bt.format(t)}`}function ri(e){return Bt.format(e)}function rs(e){const t=(N.now()-A(e))/1e3;return t<-1?`in ${L(-t)}`:t<1?"now":`${L(Math.floor(t))} ago`}function ii(e,t,s=`${t}s`){return`${Et.format(e)} ${e===1?t:s}`}const is=(function(){const t=typeof document<"u"&&document.createElement("link").relList;return t&&t.supports&&t.supports("modulepreload")?"modulepreload":"preload"})(),ns=function(e){return"/"+e},de={},x=function(t,s,r){let i=Promise.resolve();if(s&&s.length>0){let a=function(d){return Promise.all(d.map(f=>Promise.resolve(f).then(c=>({status:"fulfilled",value:c}),c=>({status:"rejected",reason:c}))))};document.getElementsByTagName("link");const o=document.querySelector("meta[property=csp-nonce]"),l=o?.nonce||o?.getAttribute("nonce");i=a(s.map(d=>{if(d=ns(d),d in de)return;de[d]=!0;const f=d.endsWith(".css"),c=f?'[rel="stylesheet"]':"";if(document.querySelector(`link[href="${d}"]${c}`))return;const u=document.createElement("link");if(u.rel=f?"stylesheet":is,f||(u.as="script"),u.crossOrigin="",u.href=d,l&&u.setAttribute("nonce",l),document.head.appendChild(u),f)return new Promise((g,b)=>{u.addEventListener("load",g),u.addEventListener("error",()=>b(new Error(`Unable to preload CSS for ${d}`)))})}))}function n(a){const o=new Event("vite:preloadError",{cancelable:!0});if(o.payload=a,window.dispatchEvent(o),!o.defaultPrevented)throw a}return i.then(a=>{for(const o of a||[])o.status==="rejected"&&n(o.reason);return t().catch(n)})},kt=[{path:"",tag:"page-overview",title:"Overview",load:()=>x(()=>import("./overview-CjNehu0i.js"),__vite__mapDeps([0,1,2,3])),nav:{label:"Overview",key:"o",group:"Plant"}},{path:"components",tag:"page-components",title:"Components",load:()=>x(()=>import("./components-CitwJHWu.js"),__vite__mapDeps([4,0,1,2,3])),nav:{label:"Components",key:"c",group:"Plant"}},{path:"components/:id",tag:"page-component",title:"Component",load:()=>x(()=>import("./component-D5qIvVlU.js"),__vite__mapDeps([5,1,0,2,3,4])),under:"components"},{path:"playbooks",tag:"page-playbooks",title:"Playbooks",load:()=>x(()=>import("./playbooks-BVfO8r9Z.js"),[]),nav:{label:"Playbooks",key:"p",group:"Plant"}},{path:"playbooks/:name",tag:"page-playbooks",title:"Playbook",load:()=>x(()=>import("./playbooks-BVfO8r9Z.js"),[]),under:"playbooks"},{path:"executions",tag:"page-executions",title:"Executions",load:()=>x(()=>import("./executions-DNRLpqVy.js"),__vite__mapDeps([6,3])),nav:{label:"Executions",key:"e",group:"Plant"}},{path:"executions/:id",tag:"page-execution",title:"Execution",load:()=>x(()=>import("./execution-QRGsOUxb.js"),__vite__mapDeps([7,8,3])),under:"executions"},{path:"frames",tag:"page-frames",title:"Frames",load:()=>x(()=>import("./frames-Ccl7Uf66.js"),__vite__mapDeps([9,1,8,10])),nav:{label:"Frames",key:"f",group:"Frames"}},{path:"frames/camera/:id",tag:"page-camera",title:"Camera",load:()=>x(()=>import("./camera-24r4trBh.js"),__vite__mapDeps([11,8,10])),under:"frames"},{path:"frames/frame/:id",tag:"page-frame",title:"Frame",load:()=>x(()=>import("./frame-Bk1oYaky.js"),__vite__mapDeps([12,8])),under:"frames"},{path:"alerts",tag:"page-alerts",title:"Alerts",load:()=>x(()=>import("./alerts-ChZccGTc.js"),__vite__mapDeps([13,2])),nav:{label:"Alerts",key:"l",group:"Plant"}},{path:"journal",tag:"page-journal",title:"Journal",load:()=>x(()=>import("./journal-Rx24tA5-.js"),__vite__mapDeps([14,2])),nav:{label:"Journal",key:"j",group:"Plant"}},{path:"audit",tag:"page-audit",title:"Audit",load:()=>x(()=>import("./audit-CX9hLJu7.js"),[]),nav:{label:"Audit",key:"u",group:"Cluster"},needs:["GET","/v1/audit"]},{path:"access",tag:"page-access",title:"Access",load:()=>x(()=>import("./access-vdLhpvvS.js"),__vite__mapDeps([15,2])),nav:{label:"Access",key:"t",group:"Cluster"},needs:["GET","/v1/tokens"]}];function Mt(e=location.hash){const[t="",s=""]=e.replace(/^#\/?/,"").split("?",2),r=t.split("/").filter(Boolean).map(as);for(const i of kt){const n=i.path.split("/").filter(Boolean);if(n.length!==r.length)continue;const a={};if(n.every((l,d)=>l.startsWith(":")?(a[l.slice(1)]=r[d]??"",!0):l===r[d]))return{page:i,params:a,query:new URLSearchParams(s)}}return{page:null,params:{},query:new URLSearchParams}}function as(e){try{return decodeURIComponent(e)}catch{return e}}function T(...e){return`#/${e.map(encodeURIComponent).join("/")}`}function ni(...e){location.hash=T(...e)}const qt="triarch:query-kept";function ai(e){const[t=""]=location.hash.split("?",1),s=new URLSearchParams(Object.entries(e).filter(([,r])=>r!=="")).toString();history.replaceState(null,"",(t||"#/")+(s?`?${s}`:"")),window.dispatchEvent(new Event(qt))}const os={journal:500,audit:500},he=600;class ls{constructor(){this.link={state:"connecting",origin:location.origin,node:null,leader:null,epoch:null,index:0,staleness:null,heardAt:0,figuresAt:0,reason:""},this.figures=null,this.trail=[],this.loaded=!1,this.subjects=new Map,this.listeners=new Map,this.dirty=new Set,this.scheduled=!1,this.taps=[]}tap(t){this.taps.push(t)}rows(t){return this.of(t)}list(t){return[...this.rows(t).values()]}members(){const t=new Map((this.figures?.members??[]).map(s=>[s.id,s]));return[...this.rows("cluster")].filter(([s])=>!s.startsWith("@")).map(([s,r])=>({...r,...t.get(s)}))}leaderships(){return[...this.rows("cluster")].filter(([t])=>t.startsWith("@")&&t!=="@claim").map(([,t])=>t).sort((t,s)=>t.at-s.at)}on(t,s){for(const r of t){const i=this.listeners.get(r)??new Set;i.add(s),this.listeners.set(r,i)}return()=>t.forEach(r=>this.listeners.get(r)?.delete(s))}replace(t,s){for(const r of new Set([...this.subjects.keys(),...Object.keys(s)]))this.subjects.set(r,new Map(Object.entries(s[r]??{}))),this.bound(r),this.touch(r);if(this.taps.length)for(const[r,i]of this.subjects)for(const[n,a]of i)this.taps.forEach(o=>o.row(r,n,a,!1));this.link.index=t,this.loaded=!0,this.touch("link")}change(t,s){for(const{subject:r,id:i,row:n}of s){const a=this.of(r);n===null?a.delete(i):a.set(i,n),this.taps.forEach(o=>o.row(r,i,n,!0)),this.bound(r),this.touch(r)}this.link.index=Math.max(this.link.index,t)}tell(t){this.figures=t;const s=performance.now();Object.assign(this.link,{node:t.node,leader:t.leader,epoch:t.epoch,staleness:Math.max(t.state_age_s??0,t.staleness_s??0),figuresAt:s,index:Math.max(this.link.index,t.index??0)}),this.trail.push({at:Date.now()/1e3,frames:t.frames??null}),this.trail.length>he&&this.trail.splice(0,this.trail.length-he),this.touch("figures"),this.touch("link")}relink(t){Object.assign(this.link,t),this.touch("link")}forget(){this.subjects.clear(),this.taps.forEach(t=>t.forget()),this.trail.length=0,this.figures=null,this.loaded=!1,[...this.listeners.keys()].forEach(t=>this.touch(t))}touch(t){this.dirty.add(t),!this.scheduled&&(this.scheduled=!0,requestAnimationFrame(()=>{this.scheduled=!1;const s=new Set;for(const r of this.dirty)this.listeners.get(r)?.forEach(i=>s.add(i));this.dirty.clear(),s.forEach(r=>r())}))}of(t){let s=this.subjects.get(t);return s||this.subjects.set(t,s=new Map),s}bound(t){const s=os[t];if(s===void 0)return;const r=this.of(t);for(const i of r.keys()){if(r.size<=s)break;r.delete(i)}}}const v=new ls;class X{constructor(t,s,r=0){this.host=t,this.topics=s,this.ms=r,this.off=null,this.timer=null,this.drawnAt=-1/0,t.addController(this)}hostConnected(){this.off=v.on(this.topics,()=>this.changed())}hostDisconnected(){this.off?.(),this.off=null,this.timer!==null&&clearTimeout(this.timer),this.timer=null}changed(){if(this.timer!==null)return;const t=this.drawnAt+this.ms-performance.now();t>0?this.timer=setTimeout(()=>this.draw(),t):this.draw()}draw(){this.timer=null,this.drawnAt=performance.now(),this.host.requestUpdate()}}const oi=["supervision","trigger","execution","step","alert","leadership","component","event"],cs=["info","warning","error","critical"],It=300;class ds{constructor(){this.kept=new Map,this.seen=new Map,this.stepped=new Map,v.tap({row:(...t)=>this.take(...t),forget:()=>this.forget()})}list(t=""){const s=[...this.kept.values()].flatMap(r=>[...r.values()]);return(t?s.filter(r=>r.about===t):s).sort(ue)}unstepped(t,s){return v.list("executions").sort((i,n)=>n.index-i.index).slice(0,t).filter(i=>(this.stepped.get(i.id)??-1)<i.index).slice(0,s)}steps(t){for(const s of t.steps){const r=`${s.id||s.path} (${s.type.replaceAll("_"," ")})`,i=(a,o,l,d,f)=>o!==null&&this.put({id:`${t.id}/${s.path}/${a}`,at:A(o),source:"step",level:l,about:t.playbook,href:T("playbooks",t.playbook),what:d,why:f,execution:t.id});i("begun",s.started,"info",`Begins step ${r}`,"");const n=s.retrying&&`retry/${s.retrying.n}`;s.retrying&&n&&!this.kept.get("step")?.has(`${t.id}/${s.path}/${n}`)&&i(n,new Date(N.now()).toISOString(),"warning",`Tries step ${r} again, attempt ${s.retrying.n}`,s.retrying.error),s.ended&&i("ended",s.ended,s.status==="SUCCEEDED"||s.status==="SKIPPED"?"info":s.status==="CANCELLED"?"warning":"error",`Step ${r} is ${s.status.toLowerCase().replace("_"," ")}`,s.error||s.code)}this.stepped.delete(t.id),this.stepped.set(t.id,t.index);for(const s of this.stepped.keys())this.stepped.size>It&&this.stepped.delete(s)}stepless(t){this.stepped.set(t.id,t.index)}take(t,s,r,i){if(t==="components")this.component(s,r,i);else{if(r===null)return;t==="policies"?this.run(s,r,i):t==="alerts"?this.alert(r):t==="executions"?this.execution(r):t==="journal"?this.line(r):t==="cluster"&&s.startsWith("@")&&s!=="@claim"&&this.leadership(r)}}forget(){this.kept.clear(),this.seen.clear(),this.stepped.clear()}put(t){let s=this.kept.get(t.source);s||this.kept.set(t.source,s=new Map),s.set(t.id,t),!(s.size<=It*1.2)&&[...s.values()].sort(ue).slice(It).forEach(r=>s.delete(r.id))}component(t,s,r){if(s===null){this.seen.delete(t)&&this.put({id:`${t}/gone/${N.now()}`,at:N.now(),source:"component",level:"info",about:t,href:"",what:"Is not registered any more",why:"",execution:""});return}const i=s.presence==="OFFLINE"?"OFFLINE":s.state==="FAULT"?"FAULT":s.health==="UNRESPONSIVE"?"UNRESPONSIVE":"",n=this.seen.get(t);if(this.seen.set(t,i),!r||n===void 0||n===i)return;const a=i==="FAULT"?s.reason:s.health_reason||s.reason;this.put({id:`${t}/${i}/${N.now()}`,at:N.now(),source:"component",level:i?"error":"info",about:t,href:T("components",t),what:i?`Is ${i}`:`Is ${n} no more`,why:i?a:`it is ${s.state}`,execution:""})}run(t,s,r){const i=s.run,n={source:"supervision",about:t,href:T("components",t),execution:""};if(i){const o=i.purpose==="restart"?"Restarts it":i.goal==="STARTED"?"Starts it":i.purpose==="cascade"?"Stops it for what it needs":i.purpose==="group"?"Stops it with its group":"Stops it",l=i.purpose==="restart"||i.purpose==="cascade"||i.purpose==="group"||i.outcome==="abandoned"?"warning":"info";this.put({...n,id:`${t}/${i.number}`,at:A(i.time),level:l,what:`${o}: ${i.outcome||"goes on"}`,why:i.reason})}if(!s.exhausted)return;const a=`${t}/${i?.number??0}/given up`;this.kept.get("supervision")?.has(a)||this.put({...n,id:a,at:r||!i?N.now():A(i.time),level:"error",what:"Gives it up",why:s.exhausted})}alert(t){if(t.id===null)return;const s=cs.find(o=>o===t.severity)??"warning",r=t.members[0],i=t.members_total===1&&r?r.subject:"",n={source:"alert",about:i||t.rule,href:i&&v.rows("components").has(i)?T("components",i):T("alerts"),execution:""},a=r?t.members.slice(0,3).map(o=>`${o.subject}: ${o.reason}`).join("; "):t.summary;t.fired_time!==null&&this.put({...n,id:`${t.id}/fired`,at:A(t.fired_time),level:s,what:`Alert ${t.rule} fires`,why:a}),t.resolved_time!==null&&this.put({...n,id:`${t.id}/resolved`,at:A(t.resolved_time),level:"info",what:`Alert ${t.rule} is resolved`,why:"its condition holds no more"})}leadership(t){const s=t.gap_s===null?"":`, after ${L(t.gap_s)} without a leader`;this.put({id:t.epoch,at:A(t.at),source:"leadership",level:t.reason==="election"?"warning":"info",about:t.node,href:"#/",what:`Leads in epoch ${t.epoch}`,why:`${t.reason}${s}`,execution:""})}execution(t){const s={about:t.playbook,href:T("playbooks",t.playbook),execution:t.id},r=t.who.startsWith("trigger "),i=t.parent?`by execution ${t.parent.execution}`:t.who?`by ${t.who}`:"";this.put({...s,id:`${t.id}/created`,at:A(t.created),source:r?"trigger":"execution",level:"info",what:r?"Sets off an execution":"Execution is asked for",why:i}),t.ended&&this.put({...s,id:`${t.id}/ended`,at:A(t.ended),source:"execution",level:t.status==="SUCCEEDED"?"info":t.status==="CANCELLED"?"warning":"error",what:`Execution is ${t.status.toLowerCase().replace("_"," ")}`,why:[t.code,t.error].filter(Boolean).join(": ")})}line(t){const s=String(t.type),r=s.startsWith("playbook."),i=s==="playbook.failed"?`${t.execution}/ended`:`line/${t.number}`,n=s==="playbook.trigger_failed"?"trigger":r?"execution":"event";if(s==="playbook.failed"&&this.kept.get(n)?.has(i))return;const{message:a,...o}=t.data??{},l=Object.keys(o).length?JSON.stringify(o):"",d=r?T("playbooks",t.source):v.rows("components").has(t.source)?T("components",t.source):"";this.put({id:i,at:A(t.time),source:n,level:t.level,about:t.source,href:d,what:r?hs[s]??s:`Event ${s}`,why:[t.message,l].filter(Boolean).join(" "),execution:t.execution})}}const hs={"playbook.log":"Writes","playbook.failed":"Execution is failed","playbook.approval_needed":"Asks for an approval","playbook.trigger_failed":"A trigger starts nothing"};function ue(e,t){return t.at-e.at||(e.id<t.id?1:-1)}const li=new ds;/**
 * @license
 * Copyright 2019 Google LLC
 * SPDX-License-Identifier: BSD-3-Clause
 */const mt=globalThis,Yt=mt.ShadowRoot&&(mt.ShadyCSS===void 0||mt.ShadyCSS.nativeShadow)&&"adoptedStyleSheets"in Document.prototype&&"replace"in CSSStyleSheet.prototype,Xt=Symbol(),pe=new WeakMap;let Ue=class{constructor(t,s,r){if(this._$cssResult$=!0,r!==Xt)throw Error("CSSResult is not constructable. Use `unsafeCSS` or `css` instead.");this.cssText=t,this.t=s}get styleSheet(){let t=this.o;const s=this.t;if(Yt&&t===void 0){const r=s!==void 0&&s.length===1;r&&(t=pe.get(s)),t===void 0&&((this.o=t=new CSSStyleSheet).replaceSync(this.cssText),r&&pe.set(s,t))}return t}toString(){return this.cssText}};const us=e=>new Ue(typeof e=="string"?e:e+"",void 0,Xt),w=(e,...t)=>{const s=e.length===1?e[0]:t.reduce((r,i,n)=>r+(a=>{if(a._$cssResult$===!0)return a.cssText;if(typeof a=="number")return a;throw Error("Value passed to 'css' function must be a 'css' function result: "+a+". Use 'unsafeCSS' to pass non-literal values, but take care to ensure page security.")})(i)+e[n+1],e[0]);return new Ue(s,e,Xt)},ps=(e,t)=>{if(Yt)e.adoptedStyleSheets=t.map(s=>s instanceof CSSStyleSheet?s:s.styleSheet);else for(const s of t){const r=document.createElement("style"),i=mt.litNonce;i!==void 0&&r.setAttribute("nonce",i),r.textContent=s.cssText,e.appendChild(r)}},fe=Yt?e=>e:e=>e instanceof CSSStyleSheet?(t=>{let s="";for(const r of t.cssRules)s+=r.cssText;return us(s)})(e):e;/**
 * @license
 * Copyright 2017 Google LLC
 * SPDX-License-Identifier: BSD-3-Clause
 */const{is:fs,defineProperty:gs,getOwnPropertyDescriptor:vs,getOwnPropertyNames:ms,getOwnPropertySymbols:bs,getPrototypeOf:ys}=Object,At=globalThis,ge=At.trustedTypes,$s=ge?ge.emptyScript:"",ws=At.reactiveElementPolyfillSupport,it=(e,t)=>e,bt={toAttribute(e,t){switch(t){case Boolean:e=e?$s:null;break;case Object:case Array:e=e==null?e:JSON.stringify(e)}return e},fromAttribute(e,t){let s=e;switch(t){case Boolean:s=e!==null;break;case Number:s=e===null?null:Number(e);break;case Object:case Array:try{s=JSON.parse(e)}catch{s=null}}return s}},Qt=(e,t)=>!fs(e,t),ve={attribute:!0,type:String,converter:bt,reflect:!1,useDefault:!1,hasChanged:Qt};Symbol.metadata??=Symbol("metadata"),At.litPropertyMetadata??=new WeakMap;let K=class extends HTMLElement{static addInitializer(t){this._$Ei(),(this.l??=[]).push(t)}static get observedAttributes(){return this.finalize(),this._$Eh&&[...this._$Eh.keys()]}static createProperty(t,s=ve){if(s.state&&(s.attribute=!1),this._$Ei(),this.prototype.hasOwnProperty(t)&&((s=Object.create(s)).wrapped=!0),this.elementProperties.set(t,s),!s.noAccessor){const r=Symbol(),i=this.getPropertyDescriptor(t,r,s);i!==void 0&&gs(this.prototype,t,i)}}static getPropertyDescriptor(t,s,r){const{get:i,set:n}=vs(this.prototype,t)??{get(){return this[s]},set(a){this[s]=a}};return{get:i,set(a){const o=i?.call(this);n?.call(this,a),this.requestUpdate(t,o,r)},configurable:!0,enumerable:!0}}static getPropertyOptions(t){return this.elementProperties.get(t)??ve}static _$Ei(){if(this.hasOwnProperty(it("elementProperties")))return;const t=ys(this);t.finalize(),t.l!==void 0&&(this.l=[...t.l]),this.elementProperties=new Map(t.elementProperties)}static finalize(){if(this.hasOwnProperty(it("finalized")))return;if(this.finalized=!0,this._$Ei(),this.hasOwnProperty(it("properties"))){const s=this.properties,r=[...ms(s),...bs(s)];for(const i of r)this.createProperty(i,s[i])}const t=this[Symbol.metadata];if(t!==null){const s=litPropertyMetadata.get(t);if(s!==void 0)for(const[r,i]of s)this.elementProperties.set(r,i)}this._$Eh=new Map;for(const[s,r]of this.elementProperties){const i=this._$Eu(s,r);i!==void 0&&this._$Eh.set(i,s)}this.elementStyles=this.finalizeStyles(this.styles)}static finalizeStyles(t){const s=[];if(Array.isArray(t)){const r=new Set(t.flat(1/0).reverse());for(const i of r)s.unshift(fe(i))}else t!==void 0&&s.push(fe(t));return s}static _$Eu(t,s){const r=s.attribute;return r===!1?void 0:typeof r=="string"?r:typeof t=="string"?t.toLowerCase():void 0}constructor(){super(),this._$Ep=void 0,this.isUpdatePending=!1,this.hasUpdated=!1,this._$Em=null,this._$Ev()}_$Ev(){this._$ES=new Promise(t=>this.enableUpdating=t),this._$AL=new Map,this._$E_(),this.requestUpdate(),this.constructor.l?.forEach(t=>t(this))}addController(t){(this._$EO??=new Set).add(t),this.renderRoot!==void 0&&this.isConnected&&t.hostConnected?.()}removeController(t){this._$EO?.delete(t)}_$E_(){const t=new Map,s=this.constructor.elementProperties;for(const r of s.keys())this.hasOwnProperty(r)&&(t.set(r,this[r]),delete this[r]);t.size>0&&(this._$Ep=t)}createRenderRoot(){const t=this.shadowRoot??this.attachShadow(this.constructor.shadowRootOptions);return ps(t,this.constructor.elementStyles),t}connectedCallback(){this.renderRoot??=this.createRenderRoot(),this.enableUpdating(!0),this._$EO?.forEach(t=>t.hostConnected?.())}enableUpdating(t){}disconnectedCallback(){this._$EO?.forEach(t=>t.hostDisconnected?.())}attributeChangedCallback(t,s,r){this._$AK(t,r)}_$ET(t,s){const r=this.constructor.elementProperties.get(t),i=this.constructor._$Eu(t,r);if(i!==void 0&&r.reflect===!0){const n=(r.converter?.toAttribute!==void 0?r.converter:bt).toAttribute(s,r.type);this._$Em=t,n==null?this.removeAttribute(i):this.setAttribute(i,n),this._$Em=null}}_$AK(t,s){const r=this.constructor,i=r._$Eh.get(t);if(i!==void 0&&this._$Em!==i){const n=r.getPropertyOptions(i),a=typeof n.converter=="function"?{fromAttribute:n.converter}:n.converter?.fromAttribute!==void 0?n.converter:bt;this._$Em=i;const o=a.fromAttribute(s,n.type);this[i]=o??this._$Ej?.get(i)??o,this._$Em=null}}requestUpdate(t,s,r,i=!1,n){if(t!==void 0){const a=this.constructor;if(i===!1&&(n=this[t]),r??=a.getPropertyOptions(t),!((r.hasChanged??Qt)(n,s)||r.useDefault&&r.reflect&&n===this._$Ej?.get(t)&&!this.hasAttribute(a._$Eu(t,r))))return;this.C(t,s,r)}this.isUpdatePending===!1&&(this._$ES=this._$EP())}C(t,s,{useDefault:r,reflect:i,wrapped:n},a){r&&!(this._$Ej??=new Map).has(t)&&(this._$Ej.set(t,a??s??this[t]),n!==!0||a!==void 0)||(this._$AL.has(t)||(this.hasUpdated||r||(s=void 0),this._$AL.set(t,s)),i===!0&&this._$Em!==t&&(this._$Eq??=new Set).add(t))}async _$EP(){this.isUpdatePending=!0;try{await this._$ES}catch(s){Promise.reject(s)}const t=this.scheduleUpdate();return t!=null&&await t,!this.isUpdatePending}scheduleUpdate(){return this.performUpdate()}performUpdate(){if(!this.isUpdatePending)return;if(!this.hasUpdated){if(this.renderRoot??=this.createRenderRoot(),this._$Ep){for(const[i,n]of this._$Ep)this[i]=n;this._$Ep=void 0}const r=this.constructor.elementProperties;if(r.size>0)for(const[i,n]of r){const{wrapped:a}=n,o=this[i];a!==!0||this._$AL.has(i)||o===void 0||this.C(i,void 0,n,o)}}let t=!1;const s=this._$AL;try{t=this.shouldUpdate(s),t?(this.willUpdate(s),this._$EO?.forEach(r=>r.hostUpdate?.()),this.update(s)):this._$EM()}catch(r){throw t=!1,this._$EM(),r}t&&this._$AE(s)}willUpdate(t){}_$AE(t){this._$EO?.forEach(s=>s.hostUpdated?.()),this.hasUpdated||(this.hasUpdated=!0,this.firstUpdated(t)),this.updated(t)}_$EM(){this._$AL=new Map,this.isUpdatePending=!1}get updateComplete(){return this.getUpdateComplete()}getUpdateComplete(){return this._$ES}shouldUpdate(t){return!0}update(t){this._$Eq&&=this._$Eq.forEach(s=>this._$ET(s,this[s])),this._$EM()}updated(t){}firstUpdated(t){}};K.elementStyles=[],K.shadowRootOptions={mode:"open"},K[it("elementProperties")]=new Map,K[it("finalized")]=new Map,ws?.({ReactiveElement:K}),(At.reactiveElementVersions??=[]).push("2.1.2");/**
 * @license
 * Copyright 2017 Google LLC
 * SPDX-License-Identifier: BSD-3-Clause
 */const Zt=globalThis,me=e=>e,yt=Zt.trustedTypes,be=yt?yt.createPolicy("lit-html",{createHTML:e=>e}):void 0,je="$lit$",R=`lit$${Math.random().toFixed(9).slice(2)}$`,ze="?"+R,_s=`<${ze}>`,F=document,nt=()=>F.createComment(""),at=e=>e===null||typeof e!="object"&&typeof e!="function",te=Array.isArray,xs=e=>te(e)||typeof e?.[Symbol.iterator]=="function",Lt=`[ 	
\f\r]`,et=/<(?:(!--|\/[^a-zA-Z])|(\/?[a-zA-Z][^>\s]*)|(\/?$))/g,ye=/-->/g,$e=/>/g,j=RegExp(`>|${Lt}(?:([^\\s"'>=/]+)(${Lt}*=${Lt}*(?:[^ 	
\f\r"'\`<>=]|("|')|))|$)`,"g"),we=/'/g,_e=/"/g,He=/^(?:script|style|textarea|title)$/i,Fe=e=>(t,...s)=>({_$litType$:e,strings:t,values:s}),h=Fe(1),st=Fe(2),B=Symbol.for("lit-noChange"),p=Symbol.for("lit-nothing"),xe=new WeakMap,H=F.createTreeWalker(F,129);function Be(e,t){if(!te(e)||!e.hasOwnProperty("raw"))throw Error("invalid template strings array");return be!==void 0?be.createHTML(t):t}const Es=(e,t)=>{const s=e.length-1,r=[];let i,n=t===2?"<svg>":t===3?"<math>":"",a=et;for(let o=0;o<s;o++){const l=e[o];let d,f,c=-1,u=0;for(;u<l.length&&(a.lastIndex=u,f=a.exec(l),f!==null);)u=a.lastIndex,a===et?f[1]==="!--"?a=ye:f[1]!==void 0?a=$e:f[2]!==void 0?(He.test(f[2])&&(i=RegExp("</"+f[2],"g")),a=j):f[3]!==void 0&&(a=j):a===j?f[0]===">"?(a=i??et,c=-1):f[1]===void 0?c=-2:(c=a.lastIndex-f[2].length,d=f[1],a=f[3]===void 0?j:f[3]==='"'?_e:we):a===_e||a===we?a=j:a===ye||a===$e?a=et:(a=j,i=void 0);const g=a===j&&e[o+1].startsWith("/>")?" ":"";n+=a===et?l+_s:c>=0?(r.push(d),l.slice(0,c)+je+l.slice(c)+R+g):l+R+(c===-2?o:g)}return[Be(e,n+(e[s]||"<?>")+(t===2?"</svg>":t===3?"</math>":"")),r]};class ot{constructor({strings:t,_$litType$:s},r){let i;this.parts=[];let n=0,a=0;const o=t.length-1,l=this.parts,[d,f]=Es(t,s);if(this.el=ot.createElement(d,r),H.currentNode=this.el.content,s===2||s===3){const c=this.el.content.firstChild;c.replaceWith(...c.childNodes)}for(;(i=H.nextNode())!==null&&l.length<o;){if(i.nodeType===1){if(i.hasAttributes())for(const c of i.getAttributeNames())if(c.endsWith(je)){const u=f[a++],g=i.getAttribute(c).split(R),b=/([.?@])?(.*)/.exec(u);l.push({type:1,index:n,name:b[2],strings:g,ctor:b[1]==="."?As:b[1]==="?"?Ss:b[1]==="@"?Ps:St}),i.removeAttribute(c)}else c.startsWith(R)&&(l.push({type:6,index:n}),i.removeAttribute(c));if(He.test(i.tagName)){const c=i.textContent.split(R),u=c.length-1;if(u>0){i.textContent=yt?yt.emptyScript:"";for(let g=0;g<u;g++)i.append(c[g],nt()),H.nextNode(),l.push({type:2,index:++n});i.append(c[u],nt())}}}else if(i.nodeType===8)if(i.data===ze)l.push({type:2,index:n});else{let c=-1;for(;(c=i.data.indexOf(R,c+1))!==-1;)l.push({type:7,index:n}),c+=R.length-1}n++}}static createElement(t,s){const r=F.createElement("template");return r.innerHTML=t,r}}function J(e,t,s=e,r){if(t===B)return t;let i=r!==void 0?s._$Co?.[r]:s._$Cl;const n=at(t)?void 0:t._$litDirective$;return i?.constructor!==n&&(i?._$AO?.(!1),n===void 0?i=void 0:(i=new n(e),i._$AT(e,s,r)),r!==void 0?(s._$Co??=[])[r]=i:s._$Cl=i),i!==void 0&&(t=J(e,i._$AS(e,t.values),i,r)),t}class ks{constructor(t,s){this._$AV=[],this._$AN=void 0,this._$AD=t,this._$AM=s}get parentNode(){return this._$AM.parentNode}get _$AU(){return this._$AM._$AU}u(t){const{el:{content:s},parts:r}=this._$AD,i=(t?.creationScope??F).importNode(s,!0);H.currentNode=i;let n=H.nextNode(),a=0,o=0,l=r[0];for(;l!==void 0;){if(a===l.index){let d;l.type===2?d=new Q(n,n.nextSibling,this,t):l.type===1?d=new l.ctor(n,l.name,l.strings,this,t):l.type===6&&(d=new Os(n,this,t)),this._$AV.push(d),l=r[++o]}a!==l?.index&&(n=H.nextNode(),a++)}return H.currentNode=F,i}p(t){let s=0;for(const r of this._$AV)r!==void 0&&(r.strings!==void 0?(r._$AI(t,r,s),s+=r.strings.length-2):r._$AI(t[s])),s++}}class Q{get _$AU(){return this._$AM?._$AU??this._$Cv}constructor(t,s,r,i){this.type=2,this._$AH=p,this._$AN=void 0,this._$AA=t,this._$AB=s,this._$AM=r,this.options=i,this._$Cv=i?.isConnected??!0}get parentNode(){let t=this._$AA.parentNode;const s=this._$AM;return s!==void 0&&t?.nodeType===11&&(t=s.parentNode),t}get startNode(){return this._$AA}get endNode(){return this._$AB}_$AI(t,s=this){t=J(this,t,s),at(t)?t===p||t==null||t===""?(this._$AH!==p&&this._$AR(),this._$AH=p):t!==this._$AH&&t!==B&&this._(t):t._$litType$!==void 0?this.$(t):t.nodeType!==void 0?this.T(t):xs(t)?this.k(t):this._(t)}O(t){return this._$AA.parentNode.insertBefore(t,this._$AB)}T(t){this._$AH!==t&&(this._$AR(),this._$AH=this.O(t))}_(t){this._$AH!==p&&at(this._$AH)?this._$AA.nextSibling.data=t:this.T(F.createTextNode(t)),this._$AH=t}$(t){const{values:s,_$litType$:r}=t,i=typeof r=="number"?this._$AC(t):(r.el===void 0&&(r.el=ot.createElement(Be(r.h,r.h[0]),this.options)),r);if(this._$AH?._$AD===i)this._$AH.p(s);else{const n=new ks(i,this),a=n.u(this.options);n.p(s),this.T(a),this._$AH=n}}_$AC(t){let s=xe.get(t.strings);return s===void 0&&xe.set(t.strings,s=new ot(t)),s}k(t){te(this._$AH)||(this._$AH=[],this._$AR());const s=this._$AH;let r,i=0;for(const n of t)i===s.length?s.push(r=new Q(this.O(nt()),this.O(nt()),this,this.options)):r=s[i],r._$AI(n),i++;i<s.length&&(this._$AR(r&&r._$AB.nextSibling,i),s.length=i)}_$AR(t=this._$AA.nextSibling,s){for(this._$AP?.(!1,!0,s);t!==this._$AB;){const r=me(t).nextSibling;me(t).remove(),t=r}}setConnected(t){this._$AM===void 0&&(this._$Cv=t,this._$AP?.(t))}}class St{get tagName(){return this.element.tagName}get _$AU(){return this._$AM._$AU}constructor(t,s,r,i,n){this.type=1,this._$AH=p,this._$AN=void 0,this.element=t,this.name=s,this._$AM=i,this.options=n,r.length>2||r[0]!==""||r[1]!==""?(this._$AH=Array(r.length-1).fill(new String),this.strings=r):this._$AH=p}_$AI(t,s=this,r,i){const n=this.strings;let a=!1;if(n===void 0)t=J(this,t,s,0),a=!at(t)||t!==this._$AH&&t!==B,a&&(this._$AH=t);else{const o=t;let l,d;for(t=n[0],l=0;l<n.length-1;l++)d=J(this,o[r+l],s,l),d===B&&(d=this._$AH[l]),a||=!at(d)||d!==this._$AH[l],d===p?t=p:t!==p&&(t+=(d??"")+n[l+1]),this._$AH[l]=d}a&&!i&&this.j(t)}j(t){t===p?this.element.removeAttribute(this.name):this.element.setAttribute(this.name,t??"")}}class As extends St{constructor(){super(...arguments),this.type=3}j(t){this.element[this.name]=t===p?void 0:t}}class Ss extends St{constructor(){super(...arguments),this.type=4}j(t){this.element.toggleAttribute(this.name,!!t&&t!==p)}}class Ps extends St{constructor(t,s,r,i,n){super(t,s,r,i,n),this.type=5}_$AI(t,s=this){if((t=J(this,t,s,0)??p)===B)return;const r=this._$AH,i=t===p&&r!==p||t.capture!==r.capture||t.once!==r.once||t.passive!==r.passive,n=t!==p&&(r===p||i);i&&this.element.removeEventListener(this.name,this,r),n&&this.element.addEventListener(this.name,this,t),this._$AH=t}handleEvent(t){typeof this._$AH=="function"?this._$AH.call(this.options?.host??this.element,t):this._$AH.handleEvent(t)}}class Os{constructor(t,s,r){this.element=t,this.type=6,this._$AN=void 0,this._$AM=s,this.options=r}get _$AU(){return this._$AM._$AU}_$AI(t){J(this,t)}}const Cs={I:Q},Ts=Zt.litHtmlPolyfillSupport;Ts?.(ot,Q),(Zt.litHtmlVersions??=[]).push("3.3.3");const Ns=(e,t,s)=>{const r=s?.renderBefore??t;let i=r._$litPart$;if(i===void 0){const n=s?.renderBefore??null;r._$litPart$=i=new Q(t.insertBefore(nt(),n),n,void 0,s??{})}return i._$AI(e),i};/**
 * @license
 * Copyright 2017 Google LLC
 * SPDX-License-Identifier: BSD-3-Clause
 */const ee=globalThis;let $=class extends K{constructor(){super(...arguments),this.renderOptions={host:this},this._$Do=void 0}createRenderRoot(){const t=super.createRenderRoot();return this.renderOptions.renderBefore??=t.firstChild,t}update(t){const s=this.render();this.hasUpdated||(this.renderOptions.isConnected=this.isConnected),super.update(t),this._$Do=Ns(s,this.renderRoot,this.renderOptions)}connectedCallback(){super.connectedCallback(),this._$Do?.setConnected(!0)}disconnectedCallback(){super.disconnectedCallback(),this._$Do?.setConnected(!1)}render(){return B}};$._$litElement$=!0,$.finalized=!0,ee.litElementHydrateSupport?.({LitElement:$});const Ds=ee.litElementPolyfillSupport;Ds?.({LitElement:$});(ee.litElementVersions??=[]).push("4.2.2");/**
 * @license
 * Copyright 2017 Google LLC
 * SPDX-License-Identifier: BSD-3-Clause
 */const _=e=>(t,s)=>{s!==void 0?s.addInitializer(()=>{customElements.define(e,t)}):customElements.define(e,t)};/**
 * @license
 * Copyright 2017 Google LLC
 * SPDX-License-Identifier: BSD-3-Clause
 */const Ms={attribute:!0,type:String,converter:bt,reflect:!1,hasChanged:Qt},Is=(e=Ms,t,s)=>{const{kind:r,metadata:i}=s;let n=globalThis.litPropertyMetadata.get(i);if(n===void 0&&globalThis.litPropertyMetadata.set(i,n=new Map),r==="setter"&&((e=Object.create(e)).wrapped=!0),n.set(s.name,e),r==="accessor"){const{name:a}=s;return{set(o){const l=t.get.call(this);t.set.call(this,o),this.requestUpdate(a,l,e,!0,o)},init(o){return o!==void 0&&this.C(a,void 0,e,o),o}}}if(r==="setter"){const{name:a}=s;return function(o){const l=this[a];t.call(this,o),this.requestUpdate(a,l,e,!0,o)}}throw Error("Unsupported decorator location: "+r)};function m(e){return(t,s)=>typeof s=="object"?Is(e,t,s):((r,i,n)=>{const a=i.hasOwnProperty(n);return i.constructor.createProperty(n,r),a?Object.getOwnPropertyDescriptor(i,n):void 0})(e,t,s)}/**
 * @license
 * Copyright 2017 Google LLC
 * SPDX-License-Identifier: BSD-3-Clause
 */function k(e){return m({...e,state:!0,attribute:!1})}/**
 * @license
 * Copyright 2017 Google LLC
 * SPDX-License-Identifier: BSD-3-Clause
 */const Ls=(e,t,s)=>(s.configurable=!0,s.enumerable=!0,Reflect.decorate&&typeof t!="object"&&Object.defineProperty(e,t,s),s);/**
 * @license
 * Copyright 2017 Google LLC
 * SPDX-License-Identifier: BSD-3-Clause
 */function Z(e,t){return(s,r,i)=>{const n=a=>a.renderRoot?.querySelector(e)??null;return Ls(s,r,{get(){return n(this)}})}}class Rs{constructor(){this.known=[location.origin],this.at=0,this.left=new Map}get current(){return this.known[this.at]??location.origin}get all(){return this.known}learn(t){const s=this.current,r=t.map(Us).filter(i=>i!==null);this.known=[...new Set([s,...r,location.origin])],this.at=0}leave(t){this.current===t&&(this.at=(this.at+1)%this.known.length),this.left.get(t)?.abort(),this.left.delete(t)}leaving(t){let s=this.left.get(t);return s||this.left.set(t,s=new AbortController),s.signal}}function Us(e){try{const t=new URL(e).origin;return location.protocol==="https:"&&t.startsWith("http:")?null:t}catch{return null}}const M=new Rs,qe="unexpected";class P extends Error{constructor(t,s,r,i,n={}){super(i||r),this.name="Problem",this.status=t,this.code=s,this.title=r,this.members=n}static async of(t){const s=await t.text().catch(()=>"");try{const r=JSON.parse(s);if(r&&typeof r=="object"&&typeof r.code=="string")return new P(t.status,r.code,String(r.title??""),String(r.detail??""),r)}catch{}return new P(t.status,qe,`The answer was ${t.status}`,s.slice(0,200))}}class Rt extends Error{constructor(t,s=null){super(t),this.name="Unreachable",this.key=s}}function q(e){return e instanceof P?`${e.title}${e.message&&e.message!==e.title?`: ${e.message}`:""}`:e instanceof Error?e.message:String(e)}const Vt="triarch.token";function Wt(){return sessionStorage.getItem(Vt)}function Ut(e){e===null?sessionStorage.removeItem(Vt):sessionStorage.setItem(Vt,e)}function lt(e={},t=Wt()){return t===null?e:{...e,Authorization:`Bearer ${t}`}}const js=6e3,zs=8e3,Hs=2e4,Fs=250;function se(e,t={}){const s=new URLSearchParams;for(const[i,n]of Object.entries(t))if(!(n==null||n===""))for(const a of Array.isArray(n)?n:[n])s.append(i,String(a));const r=s.toString();return r?`${e}?${r}`:e}function Bs(){return[...crypto.getRandomValues(new Uint8Array(16))].map(e=>e.toString(16).padStart(2,"0")).join("")}const Ve=new Set;function qs(e){Ve.add(e)}async function Pt(e,t,s={}){const r=e!=="GET",i=r?s.key??Bs():null,n=performance.now()+(r?Hs:zs);let a=!1,o=new Rt("no node was asked");for(;;){const l=M.current,d=n-performance.now();if(d<=0)break;let f=Fs;try{const c=await Ws(l,se(t,s.params),e,s,i,Math.min(js,d));if(c.ok)return{body:await Ks(c),headers:c.headers,status:c.status};const u=await P.of(c);if(!Vs(u))throw u.status===401&&s.token===void 0&&Ve.forEach(b=>b(u)),u;o=u,a||=r&&(u.code==="outcome_unknown"||u.code==="read_timed_out"||Kt(u));const g=Number(c.headers.get("Retry-After"));g>0&&(f=Math.min(g,2)*1e3),(u.code==="node_stopped"||u.code==="not_ready"||Kt(u))&&M.leave(l)}catch(c){if(c instanceof P||s.signal?.aborted)throw c;a||=r,o=new Rt(`${l} does not answer`,i),M.leave(l)}await new Promise(c=>setTimeout(c,f))}throw r&&a?new Rt("Whether it was done is not known: no node answered in time. Look before you repeat it.",i):o}function Vs(e){return e.status===503||e.status===429||e.code==="outcome_unknown"||e.code==="key_in_flight"||Kt(e)}function Kt(e){return e.code===qe&&(e.status===502||e.status===504)}async function Ws(e,t,s,r,i,n){const a={Accept:"application/json",...r.headers};i!==null&&(a["Idempotency-Key"]=i);let o;r.body!==void 0&&(a["Content-Type"]=r.type??"application/json",o=r.type?String(r.body):JSON.stringify(r.body));const l=[AbortSignal.timeout(n),M.leaving(e)];return fetch(e+t,{method:s,headers:r.token===void 0?lt(a):lt(a,r.token),body:o,signal:AbortSignal.any(r.signal?[r.signal,...l]:l),cache:"no-store",credentials:"omit",redirect:"error"})}async function Ks(e){return e.status===204?void 0:(e.headers.get("Content-Type")??"").includes("json")?await e.json():await e.text()}async function Ee(e,t,s={}){return(await Pt("GET",e,{...s,params:t})).body}async function ui(e,t,s={}){return(await Pt("POST",e,{...s,body:t})).body}async function pi(e,t,s={}){return(await Pt("PUT",e,{...s,body:t})).body}async function fi(e,t={}){return(await Pt("DELETE",e,t)).body}async function gi(e,t,s){const r=M.current,i=await fetch(r+se(e,t),{headers:lt(),cache:"no-store",credentials:"omit",signal:s});if(i.status===404)return null;if(!i.ok)throw await P.of(i);return{url:URL.createObjectURL(await i.blob()),headers:i.headers}}const Gs=8<<20;class Js{constructor(){this.rest="",this.id=null,this.event="",this.data=[]}feed(t){const s=[];this.rest+=t;let r=0;for(;;){const i=this.rest.indexOf(`
`,r);if(i<0)break;const n=this.rest.slice(r,this.rest[i-1]==="\r"&&i>r?i-1:i);r=i+1;const a=this.line(n);a&&s.push(a)}if(this.rest=this.rest.slice(r),this.rest.length>Gs)throw new Error("a line of the stream has no end");return s}line(t){if(t===""){const n=this.data.length>0?{id:this.id,event:this.event||"message",data:this.data.join(`
`)}:null;return this.event="",this.data=[],n}if(t.startsWith(":"))return null;const s=t.indexOf(":"),r=s<0?t:t.slice(0,s),i=s<0?"":t.slice(t[s+1]===" "?s+2:s+1);return r==="id"?this.id=i:r==="event"?this.event=i:r==="data"&&this.data.push(i),null}}async function*Ys(e,t){if(!e.body)return;const s=e.body.pipeThrough(new TextDecoderStream).getReader(),r=new Js;try{for(;;){const{done:i,value:n}=await s.read();if(i)return;t(null),yield*r.feed(n),t(r.id)}}finally{s.cancel().catch(()=>{})}}const Xs=2200,Qs=1200,Zs=5e3,jt=100,tr=1e3;class er{constructor(){this.stopping=null,this.after=null,this.failures=0}start(t){this.stop();const s=this.stopping=new AbortController;this.after=null,this.failures=0,this.run(t,s.signal)}stop(){this.stopping?.abort(),this.stopping=null}async run(t,s){for(v.relink({state:"connecting",reason:""});!s.aborted;){const r=M.current;let i=`${r} ended the stream`;try{this.after===null&&await this.snapshot(r,s),await this.watch(r,s)}catch(a){if(s.aborted)return;if(a instanceof ke){this.after=null,await new Promise(o=>setTimeout(o,jt));continue}if(a instanceof P){if(i=`${r}: ${a.title}`,a.status===401||a.status===403)return t(a);if(a.code==="compacted"||a.code==="invalid_cursor"){this.after=null,await new Promise(o=>setTimeout(o,jt));continue}}else i=a instanceof vt?`${r} is silent`:`${r} does not answer`}if(s.aborted)return;v.link.state==="live"&&Gt("lost"),v.relink({state:v.loaded?"lost":"connecting",reason:i}),M.leave(r),this.failures+=1;const n=Math.floor(this.failures/M.all.length);n>0&&await new Promise(a=>setTimeout(a,Math.min(jt*2**n,tr)))}}async snapshot(t,s){const r=AbortSignal.any([s,AbortSignal.timeout(Zs)]),i=await fetch(`${t}/v1/snapshot`,{headers:lt(),signal:r,cache:"no-store",credentials:"omit"});if(!i.ok)throw await P.of(i);const n=await i.json();this.after=n.index,v.replace(n.index,n.subjects),Ae()}async watch(t,s){const r=new AbortController,i=setTimeout(()=>r.abort(new vt),Qs);let n=performance.now();const a=setInterval(()=>{performance.now()-n>Xs&&r.abort(new vt)},200);try{const o=t+se("/v1/watch",{after:this.after}),l=await fetch(o,{headers:lt({Accept:"text/event-stream"}),signal:AbortSignal.any([s,r.signal]),cache:"no-store",credentials:"omit"});if(!l.ok)throw await P.of(l);clearTimeout(i);const d=f=>{n=v.link.heardAt=performance.now(),f!==null&&/^\d+$/.test(f)&&(this.after=Math.max(this.after??0,Number(f)))};for await(const f of Ys(l,d))this.take(t,f)}catch(o){throw r.signal.aborted&&!(o instanceof P)?new vt:o}finally{clearTimeout(i),clearInterval(a),r.abort()}}take(t,s){if(s.event==="ready"){const r=JSON.parse(s.data);this.failures=0;const{node:i,leader:n,epoch:a}=r;v.relink({state:"live",origin:t,node:i,leader:n,epoch:a,reason:"",figuresAt:performance.now(),staleness:null}),Gt("live"),Pe(n)}else if(s.event==="lost"){const{reason:r}=JSON.parse(s.data);if(r==="compacted"||r==="restored")throw new ke}else if(s.event==="change"){const r=JSON.parse(s.data);v.change(r.index,r.changes),r.changes.some(i=>i.subject==="cluster")&&Ae()}else if(s.event==="figures"){const r=JSON.parse(s.data);v.tell(r),Pe(r.leader)}}}class vt extends Error{}class ke extends Error{}function Ae(){M.learn(v.members().map(e=>e.api))}let Se=null;function Pe(e){e===null||e===Se||(Se=e,Gt("leader"))}function Gt(e){performance.clearMarks(`triarch:${e}`),performance.mark(`triarch:${e}`)}const Oe=new er;class sr{constructor(){this.who=null,this.refusal="",this.state="asking",this.rights=new Map}async begin(){qs(t=>this.end(t.message)),await this.enter(Wt(),Wt()!==null)}async signIn(t){await this.enter(t.trim(),!0,!0)}end(t=""){this.state!=="signed-out"&&(Oe.stop(),Ut(null),this.who=null,this.state="signed-out",this.refusal=t,v.forget(),v.relink({state:"signed-out"}),v.touch("session"))}denied(t,s){const r=this.rights.get(Ce(t,s));return this.who?r?r.includes(this.who.role)?"":`Your role is ${this.who.role}; this needs ${r.filter(i=>i!=="component"&&i!=="processor").join(" or ")}.`:"The node that told your rights does not know this.":""}may(t,s){return this.denied(t,s)===""}async enter(t,s,r=!1){try{this.who=await Ee("/v1/whoami",{consistency:"stale"},{token:t})}catch(n){if(r)throw n;const a=n instanceof P&&n.status===401;this.state=a?"signed-out":"unreachable",this.refusal=a?s?q(n):"":q(n),a&&Ut(null),v.relink({state:a?"signed-out":"connecting"}),v.touch("session"),a||setTimeout(()=>void this.enter(t,s),1e3);return}Ut(t);const i=await Ee("/v1/rights",{consistency:"stale"});this.rights=new Map(i.map(n=>[Ce(n.method,n.path),n.roles])),this.state="signed-in",this.refusal="",v.touch("session"),Oe.start(n=>this.end(n.message))}}function Ce(e,t){return`${e} ${t.replace(/\{[^}]*\}/g,"{}")}`}const y=new sr,S=w`
  :host {
    box-sizing: border-box;
  }
  *,
  *::before,
  *::after {
    box-sizing: inherit;
  }
  :host([hidden]),
  [hidden] {
    display: none !important;
  }
  h1,
  h2,
  h3,
  p,
  dl,
  dd,
  ul,
  ol,
  figure {
    margin: 0;
    padding: 0;
  }
  h1 {
    font-size: var(--text-xl);
    font-weight: 600;
    letter-spacing: -0.01em;
    line-height: 1.3;
  }
  h2 {
    font-size: var(--text-l);
    font-weight: 600;
    line-height: 1.3;
  }
  h3 {
    font-size: var(--text-m);
    font-weight: 600;
  }
  a {
    color: var(--accent);
    text-decoration: none;
  }
  a:hover {
    text-decoration: underline;
  }
  code,
  .mono {
    font-family: var(--mono);
    font-size: 0.93em;
  }
  .muted {
    color: var(--ink-3);
  }
  .small {
    font-size: var(--text-s);
  }
  .num {
    font-variant-numeric: tabular-nums;
  }
  .wrap {
    overflow-wrap: anywhere;
  }
  .only-read {
    position: absolute;
    width: 1px;
    height: 1px;
    margin: -1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }
  :focus-visible {
    outline: 2px solid var(--focus);
    outline-offset: 2px;
    border-radius: var(--radius-s);
  }
  button,
  select,
  input,
  textarea {
    font: inherit;
    color: inherit;
  }
  button,
  .button {
    display: inline-flex;
    align-items: center;
    gap: var(--space-2);
    min-height: 30px;
    padding: 0 var(--space-3);
    border: 1px solid var(--line-strong);
    border-radius: var(--radius-s);
    background: var(--surface);
    color: var(--ink);
    font-size: var(--text-s);
    font-weight: 500;
    line-height: 1.2;
    white-space: nowrap;
    cursor: pointer;
  }
  button:hover:not([aria-disabled="true"], :disabled),
  .button:hover {
    background: var(--surface-2);
    text-decoration: none;
  }
  button.primary {
    background: var(--accent);
    border-color: var(--accent);
    color: var(--accent-ink);
  }
  button.primary:hover:not([aria-disabled="true"], :disabled) {
    background: var(--accent);
    filter: brightness(1.08);
  }
  button.danger {
    border-color: var(--bad);
    color: var(--bad);
  }
  button.plain {
    border-color: transparent;
    background: transparent;
  }
  button[aria-disabled="true"],
  button:disabled {
    border-color: var(--line);
    background: var(--surface-2);
    color: var(--ink-3);
    cursor: not-allowed;
  }
  input,
  select,
  textarea {
    min-height: 30px;
    padding: var(--space-1) var(--space-2);
    border: 1px solid var(--line-strong);
    border-radius: var(--radius-s);
    background: var(--surface);
    font-size: var(--text-s);
  }
  input::placeholder {
    color: var(--ink-3);
  }
  label {
    font-size: var(--text-s);
    font-weight: 500;
  }
  .field {
    display: grid;
    gap: var(--space-1);
  }
  .hint {
    font-size: var(--text-xs);
    color: var(--ink-3);
    font-weight: 400;
  }
  .row {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: var(--space-2);
  }
  .between {
    justify-content: space-between;
  }
  .stack {
    display: grid;
    gap: var(--space-4);
    min-width: 0;
    align-content: start;
  }
  .grid {
    display: grid;
    gap: var(--space-4);
    grid-template-columns: repeat(auto-fit, minmax(min(100%, 320px), 1fr));
  }
  .card {
    min-width: 0;
    padding: var(--space-4);
    border: 1px solid var(--line);
    border-radius: var(--radius);
    background: var(--surface);
  }
  .card > header {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    justify-content: space-between;
    gap: var(--space-2);
    margin-bottom: var(--space-3);
  }
  .card.flush {
    padding: 0;
    overflow: hidden;
  }
  .card.flush > header {
    margin: 0;
    padding: var(--space-3) var(--space-4);
    border-bottom: 1px solid var(--line);
  }
  .facts {
    display: grid;
    grid-template-columns: max-content minmax(0, 1fr);
    gap: var(--space-1) var(--space-4);
    font-size: var(--text-s);
  }
  .facts dt {
    color: var(--ink-3);
  }
  .facts dd {
    overflow-wrap: anywhere;
  }
  .figure {
    font-size: var(--text-2xl);
    font-weight: 600;
    font-variant-numeric: tabular-nums;
    letter-spacing: -0.02em;
    line-height: 1.15;
  }
  .tiles {
    display: grid;
    gap: var(--space-4);
    grid-template-columns: repeat(auto-fit, minmax(min(100%, 190px), 1fr));
  }
  @media (max-width: 760px) {
    .tiles {
      gap: var(--space-2);
      grid-template-columns: repeat(2, minmax(0, 1fr));
    }
    .card {
      padding: var(--space-3);
    }
    .figure {
      font-size: var(--text-xl);
    }
  }
  .tabs {
    display: flex;
    flex-wrap: wrap;
    gap: var(--space-1);
    border-bottom: 1px solid var(--line);
  }
  .tabs button {
    border: 0;
    border-bottom: 2px solid transparent;
    border-radius: 0;
    background: none;
    color: var(--ink-2);
    min-height: 34px;
  }
  .tabs button[aria-selected="true"] {
    border-bottom-color: var(--accent);
    color: var(--ink);
  }
  @media (prefers-reduced-motion: reduce) {
    *,
    *::before,
    *::after {
      transition: none !important;
      animation: none !important;
    }
  }
`;/**
 * @license
 * Copyright 2017 Google LLC
 * SPDX-License-Identifier: BSD-3-Clause
 */const rr={CHILD:2},ir=e=>(...t)=>({_$litDirective$:e,values:t});let nr=class{constructor(t){}get _$AU(){return this._$AM._$AU}_$AT(t,s,r){this._$Ct=t,this._$AM=s,this._$Ci=r}_$AS(t,s){return this.update(t,s)}update(t,s){return this.render(...s)}};/**
 * @license
 * Copyright 2020 Google LLC
 * SPDX-License-Identifier: BSD-3-Clause
 */const{I:ar}=Cs,Te=e=>e,Ne=()=>document.createComment(""),rt=(e,t,s)=>{const r=e._$AA.parentNode,i=t===void 0?e._$AB:t._$AA;if(s===void 0){const n=r.insertBefore(Ne(),i),a=r.insertBefore(Ne(),i);s=new ar(n,a,e,e.options)}else{const n=s._$AB.nextSibling,a=s._$AM,o=a!==e;if(o){let l;s._$AQ?.(e),s._$AM=e,s._$AP!==void 0&&(l=e._$AU)!==a._$AU&&s._$AP(l)}if(n!==i||o){let l=s._$AA;for(;l!==n;){const d=Te(l).nextSibling;Te(r).insertBefore(l,i),l=d}}}return s},z=(e,t,s=e)=>(e._$AI(t,s),e),or={},lr=(e,t=or)=>e._$AH=t,cr=e=>e._$AH,zt=e=>{e._$AR(),e._$AA.remove()};/**
 * @license
 * Copyright 2017 Google LLC
 * SPDX-License-Identifier: BSD-3-Clause
 */const De=(e,t,s)=>{const r=new Map;for(let i=t;i<=s;i++)r.set(e[i],i);return r},We=ir(class extends nr{constructor(e){if(super(e),e.type!==rr.CHILD)throw Error("repeat() can only be used in text expressions")}dt(e,t,s){let r;s===void 0?s=t:t!==void 0&&(r=t);const i=[],n=[];let a=0;for(const o of e)i[a]=r?r(o,a):a,n[a]=s(o,a),a++;return{values:n,keys:i}}render(e,t,s){return this.dt(e,t,s).values}update(e,[t,s,r]){const i=cr(e),{values:n,keys:a}=this.dt(t,s,r);if(!Array.isArray(i))return this.ut=a,n;const o=this.ut??=[],l=[];let d,f,c=0,u=i.length-1,g=0,b=n.length-1;for(;c<=u&&g<=b;)if(i[c]===null)c++;else if(i[u]===null)u--;else if(o[c]===a[g])l[g]=z(i[c],n[g]),c++,g++;else if(o[u]===a[b])l[b]=z(i[u],n[b]),u--,b--;else if(o[c]===a[b])l[b]=z(i[c],n[b]),rt(e,l[b+1],i[c]),c++,b--;else if(o[u]===a[g])l[g]=z(i[u],n[g]),rt(e,i[c],i[u]),u--,g++;else if(d===void 0&&(d=De(a,g,b),f=De(o,c,u)),d.has(o[c]))if(d.has(o[u])){const D=f.get(a[g]),Ct=D!==void 0?i[D]:null;if(Ct===null){const ce=rt(e,i[c]);z(ce,n[g]),l[g]=ce}else l[g]=z(Ct,n[g]),rt(e,i[c],Ct),i[D]=null;g++}else zt(i[u]),u--;else zt(i[c]),c++;for(;g<=b;){const D=rt(e,l[b+1]);z(D,n[g]),l[g++]=D}for(;c<=u;){const D=i[c++];D!==null&&zt(D)}return this.ut=a,lr(e,l),B}});var dr=Object.defineProperty,hr=Object.getOwnPropertyDescriptor,Ke=(e,t,s,r)=>{for(var i=r>1?void 0:r?hr(t,s):t,n=e.length-1,a;n>=0;n--)(a=e[n])&&(i=(r?a(t,s,i):a(i))||i);return r&&i&&dr(t,s,i),i};const ur=7e3;let ct=class extends ${constructor(){super(...arguments),this.notes=[],this.count=0}show(e,t=!1){const s={id:++this.count,text:e,bad:t};this.notes=[...this.notes,s].slice(-4),t||setTimeout(()=>this.close(s.id),ur)}close(e){this.notes=this.notes.filter(t=>t.id!==e)}render(){return h`<div role="status" aria-live="polite">
      ${We(this.notes,e=>e.id,e=>h`<div class="note ${e.bad?"bad":""}">
          <span><span class="only-read">${e.bad?"Failed: ":""}</span>${e.text}</span>
          <button class="plain" aria-label="Close" @click=${()=>this.close(e.id)}>✕</button>
        </div>`)}
    </div>`}};ct.styles=[S,w`
      :host {
        position: fixed;
        z-index: 30;
        right: var(--space-4);
        bottom: var(--space-4);
        display: grid;
        gap: var(--space-2);
        width: min(380px, calc(100vw - 2 * var(--space-4)));
        pointer-events: none;
      }
      div[role="status"] {
        display: grid;
        gap: var(--space-2);
      }
      div.note {
        display: flex;
        gap: var(--space-3);
        align-items: start;
        justify-content: space-between;
        padding: var(--space-3) var(--space-3) var(--space-3) var(--space-4);
        border: 1px solid var(--line-strong);
        border-left: 4px solid var(--ok);
        border-radius: var(--radius);
        background: var(--surface);
        box-shadow: var(--shadow);
        font-size: var(--text-s);
        overflow-wrap: anywhere;
        pointer-events: auto;
      }
      div.bad {
        border-left-color: var(--bad);
      }
      button {
        min-height: 20px;
        padding: 0 var(--space-1);
      }
    `];Ke([k()],ct.prototype,"notes",2);ct=Ke([_("tri-toasts")],ct);let Ht=null;function pr(e,t=!1){Ht||document.body.append(Ht=new ct),Ht.show(e,t)}function fr(e,t=""){pr(t?`${t}: ${q(e)}`:q(e),!0)}var gr=Object.defineProperty,vr=Object.getOwnPropertyDescriptor,U=(e,t,s,r)=>{for(var i=r>1?void 0:r?vr(t,s):t,n=e.length-1,a;n>=0;n--)(a=e[n])&&(i=(r?a(t,s,i):a(i))||i);return r&&i&&gr(t,s,i),i};let C=class extends ${constructor(){super(...arguments),this.method="POST",this.path="",this.kind="",this.hinder="",this.label="",this.run=null,this.busy=!1,this.live=new X(this,["session","link"])}get denied(){if(this.path){const e=y.denied(this.method,this.path);if(e)return e}return this.hinder?this.hinder:v.link.state==="lost"?"Not connected now.":""}async act(){if(!(this.denied||this.busy)){this.busy=!0;try{await this.run?.()}catch(e){fr(e)}finally{this.busy=!1}}}render(){const e=this.denied;return h`<button
        class=${this.kind}
        aria-disabled=${e||this.busy?"true":"false"}
        aria-describedby=${e?"why":p}
        aria-label=${this.label||p}
        title=${e||p}
        @click=${this.act}
      >
        <slot></slot></button
      >${e?h`<span id="why" class="only-read">${e}</span>`:p}`}};C.shadowRootOptions={...$.shadowRootOptions,delegatesFocus:!0};C.styles=[S,w`
      :host {
        display: inline-flex;
      }
      :host([compact]) button {
        min-height: 24px;
        padding: 0 var(--space-2);
        font-size: var(--text-xs);
      }
    `];U([m()],C.prototype,"method",2);U([m()],C.prototype,"path",2);U([m()],C.prototype,"kind",2);U([m()],C.prototype,"hinder",2);U([m()],C.prototype,"label",2);U([m({attribute:!1})],C.prototype,"run",2);U([k()],C.prototype,"busy",2);C=U([_("tri-action")],C);var mr=Object.defineProperty,br=Object.getOwnPropertyDescriptor,Ot=(e,t,s,r)=>{for(var i=r>1?void 0:r?br(t,s):t,n=e.length-1,a;n>=0;n--)(a=e[n])&&(i=(r?a(t,s,i):a(i))||i);return r&&i&&mr(t,s,i),i};const yr={STARTED:"ok",ONLINE:"ok",OK:"ok",SUCCEEDED:"ok",HEALTHY:"ok",COMPLETED:"ok",CLOSED:"ok",DONE:"ok",INTACT:"ok",ACTIVE:"ok",LIVE:"ok",READY:"info",INITIALIZING:"info",INIT_COMPLETE:"info",STOPPING:"info",RUNNING:"info",LEADER:"info",INFO:"info",CANCELLING:"info",DEGRADED:"warn",PENDING:"warn",WARNING:"warn",PAUSED:"warn",WAITING:"warn",MIXED:"warn",HALF_OPEN:"warn",MAINTENANCE:"warn",SILENCED:"idle",DRAINING:"warn",UNKNOWN:"warn",FAULT:"bad",OFFLINE:"bad",UNRESPONSIVE:"bad",FIRING:"bad",FAILED:"bad",ERROR:"bad",CRITICAL:"bad",UNHEALTHY:"bad",OPEN:"bad",UNREACHABLE:"bad",REVOKED:"bad",EXPIRED:"bad"};function $r(e){return yr[e.toUpperCase()]??"idle"}const wr={ok:st`<circle cx="6" cy="6" r="5.5" fill="currentColor"/><path d="M3.4 6.2 5.2 8l3.4-3.8" fill="none" stroke="var(--surface)" stroke-width="1.5"/>`,warn:st`<path d="M6 .8 11.6 11H.4z" fill="currentColor"/><path d="M6 4.4v3.2M6 8.6v1.2" stroke="var(--surface)" stroke-width="1.4"/>`,bad:st`<path d="M3.6.6h4.8l3 3v4.8l-3 3H3.6l-3-3V3.6z" fill="currentColor"/><path d="m4 4 4 4m0-4L4 8" stroke="var(--surface)" stroke-width="1.5"/>`,info:st`<circle cx="6" cy="6" r="4.7" fill="none" stroke="currentColor" stroke-width="1.5"/><circle cx="6" cy="6" r="2.2" fill="currentColor"/>`,idle:st`<circle cx="6" cy="6" r="4.7" fill="none" stroke="currentColor" stroke-width="1.5"/>`};let Y=class extends ${constructor(){super(...arguments),this.state="",this.tone="",this.label=""}render(){const e=this.tone||$r(this.state);return h`<span class=${e}><svg viewBox="0 0 12 12" aria-hidden="true">${wr[e]}</svg>${this.label||this.state}</span>`}};Y.styles=w`
    :host {
      display: inline-flex;
      vertical-align: middle;
    }
    span {
      display: inline-flex;
      align-items: center;
      gap: 5px;
      padding: 1px 7px 1px 5px;
      border-radius: 10px;
      font-size: var(--text-xs);
      font-weight: 600;
      line-height: 18px;
      white-space: nowrap;
    }
    svg {
      width: 12px;
      height: 12px;
      flex: none;
    }
    .ok { color: var(--ok); background: var(--ok-soft); }
    .warn { color: var(--warn); background: var(--warn-soft); }
    .bad { color: var(--bad); background: var(--bad-soft); }
    .info { color: var(--info); background: var(--info-soft); }
    .idle { color: var(--idle); background: var(--idle-soft); }
  `;Ot([m()],Y.prototype,"state",2);Ot([m()],Y.prototype,"tone",2);Ot([m()],Y.prototype,"label",2);Y=Ot([_("tri-badge")],Y);var _r=Object.defineProperty,xr=Object.getOwnPropertyDescriptor,tt=(e,t,s,r)=>{for(var i=r>1?void 0:r?xr(t,s):t,n=e.length-1,a;n>=0;n--)(a=e[n])&&(i=(r?a(t,s,i):a(i))||i);return r&&i&&_r(t,s,i),i};let I=class extends ${constructor(){super(...arguments),this.busy=!1,this.error=null,this.result=null}firstUpdated(){this.dialog.showModal()}async submit(e){if(e.preventDefault(),this.busy)return;const t={};new FormData(this.form).forEach((s,r)=>t[r]=String(s).trim()),this.busy=!0,this.error=null;try{await this.asked.run?.(t),this.result=t,this.dialog.close()}catch(s){this.error=s}finally{this.busy=!1}}render(){const{heading:e,text:t,action:s,danger:r,idle:i,reason:n,fields:a}=this.asked;return h`<dialog aria-labelledby="heading" @close=${()=>this.closed(this.result)}>
      <form method="dialog" @submit=${this.submit}>
        <h2 id="heading">${e}</h2>
        ${t?h`<div class="text">${t}</div>`:p} ${a??p}
        ${n?h`<div class="field">
              <label for="reason">${n.label}${n.required?p:h` <span class="hint">optional</span>`}</label>
              <input id="reason" name="reason" autocomplete="off" ?required=${n.required} maxlength=${n.max??300} placeholder=${n.placeholder??""} />
            </div>`:p}
        ${this.error?h`<p class="small" role="alert"><tri-badge state="FAILED" label="Refused"></tri-badge> ${q(this.error)}</p>`:p}
        <footer>
          <button type="button" @click=${()=>this.dialog.close()}>Cancel</button>
          <button type="submit" class=${r?"danger":"primary"} ?disabled=${this.busy||i}>${this.busy?"Working …":s}</button>
        </footer>
      </form>
    </dialog>`}};I.styles=[S,w`
      dialog {
        width: min(520px, calc(100vw - 2 * var(--space-4)));
        max-height: calc(100dvh - 2 * var(--space-4));
        padding: 0;
        overflow: auto;
        border: 1px solid var(--line-strong);
        border-radius: var(--radius);
        background: var(--surface);
        color: var(--ink);
        box-shadow: var(--shadow);
      }
      dialog::backdrop {
        background: rgb(10 15 20 / 45%);
      }
      form {
        display: grid;
        gap: var(--space-4);
        padding: var(--space-5);
      }
      footer {
        display: flex;
        flex-wrap: wrap;
        justify-content: flex-end;
        gap: var(--space-2);
      }
      .text {
        color: var(--ink-2);
        font-size: var(--text-s);
        overflow-wrap: anywhere;
      }
      .text {
        display: grid;
        gap: var(--space-3);
      }
      table.plan {
        width: 100%;
        border-collapse: collapse;
        color: var(--ink);
      }
      .plan th,
      .plan td {
        padding: var(--space-1) var(--space-2);
        border-bottom: 1px solid var(--line);
        text-align: left;
        vertical-align: top;
      }
      .plan th {
        color: var(--ink-3);
        font-size: var(--text-xs);
        font-weight: 600;
      }
      input:not([type="checkbox"]),
      textarea,
      select {
        width: 100%;
      }
    `];tt([m({attribute:!1})],I.prototype,"asked",2);tt([k()],I.prototype,"busy",2);tt([k()],I.prototype,"error",2);tt([Z("dialog")],I.prototype,"dialog",2);tt([Z("form")],I.prototype,"form",2);I=tt([_("tri-dialog")],I);function mi(e){const t=Er();return new Promise(s=>{const r=new I;r.asked=e,r.closed=i=>{r.remove(),t?.focus(),s(i)},document.body.append(r)})}function Er(){let e=document.activeElement;for(;e?.shadowRoot?.activeElement;)e=e.shadowRoot.activeElement;return e instanceof HTMLElement?e:null}var kr=Object.defineProperty,Ar=Object.getOwnPropertyDescriptor,W=(e,t,s,r)=>{for(var i=r>1?void 0:r?Ar(t,s):t,n=e.length-1,a;n>=0;n--)(a=e[n])&&(i=(r?a(t,s,i):a(i))||i);return r&&i&&kr(t,s,i),i};const Ge=w`
  :host {
    display: block;
  }
  div {
    display: grid;
    gap: var(--space-1);
    justify-items: center;
    padding: var(--space-6) var(--space-4);
    color: var(--ink-3);
    text-align: center;
    font-size: var(--text-s);
  }
  strong {
    color: var(--ink-2);
    font-size: var(--text-m);
    font-weight: 600;
  }
`;let $t=class extends ${constructor(){super(...arguments),this.heading="Nothing here"}render(){return h`<div><strong>${this.heading}</strong><span><slot></slot></span></div>`}};$t.styles=[S,Ge];W([m()],$t.prototype,"heading",2);$t=W([_("tri-empty")],$t);let wt=class extends ${constructor(){super(...arguments),this.what=""}render(){return h`<div role="status"><i aria-hidden="true"></i><span>Loading${this.what?` ${this.what}`:""} …</span></div>`}};wt.styles=[S,Ge,w`
      i {
        width: 22px;
        height: 22px;
        border: 2px solid var(--line);
        border-top-color: var(--accent);
        border-radius: 50%;
        animation: turn 0.9s linear infinite;
      }
      @keyframes turn {
        to {
          transform: rotate(1turn);
        }
      }
    `];W([m()],wt.prototype,"what",2);wt=W([_("tri-loading")],wt);let dt=class extends ${constructor(){super(...arguments),this.error=null,this.retry=null}render(){return this.error?h`<div role="alert">
      <span>${q(this.error)}</span>
      ${this.retry?h`<button @click=${()=>this.retry?.()}>Try again</button>`:p}
    </div>`:p}};dt.styles=[S,w`
      :host {
        display: block;
      }
      div {
        display: flex;
        flex-wrap: wrap;
        gap: var(--space-2) var(--space-4);
        align-items: center;
        padding: var(--space-3) var(--space-4);
        border: 1px solid var(--bad);
        border-radius: var(--radius);
        background: var(--bad-soft);
        color: var(--bad);
        font-size: var(--text-s);
        overflow-wrap: anywhere;
      }
    `];W([m({attribute:!1})],dt.prototype,"error",2);W([m({attribute:!1})],dt.prototype,"retry",2);dt=W([_("tri-error")],dt);var Sr=Object.defineProperty,Pr=Object.getOwnPropertyDescriptor,O=(e,t,s,r)=>{for(var i=r>1?void 0:r?Pr(t,s):t,n=e.length-1,a;n>=0;n--)(a=e[n])&&(i=(r?a(t,s,i):a(i))||i);return r&&i&&Sr(t,s,i),i};const Jt=34,Me=8;let E=class extends ${constructor(){super(...arguments),this.label="",this.columns=[],this.rows=[],this.rowKey=e=>e.id,this.sort="",this.searchable=!1,this.empty="Nothing here",this.wanted="",this.from=0,this.height=600,this.shown=[],this.resized=new ResizeObserver(()=>this.look())}firstUpdated(){this.resized.observe(this.scroller),this.look()}disconnectedCallback(){super.disconnectedCallback(),this.resized.disconnect()}connectedCallback(){super.connectedCallback(),this.hasUpdated&&this.resized.observe(this.scroller)}willUpdate(e){["rows","columns","sort","wanted"].some(t=>e.has(t))&&(this.shown=this.ordered())}ordered(){const e=this.wanted.toLowerCase().split(/\s+/).filter(Boolean);let t=this.rows;e.length>0&&(t=t.filter(n=>{const a=this.columns.map(o=>String(o.value(n)??"")).join(" ").toLowerCase();return e.every(o=>a.includes(o))}));const s=this.sort.startsWith("-"),r=this.columns.find(n=>n.key===this.sort.replace(/^-/,""));if(!r)return t;const i=s?-1:1;return[...t].sort((n,a)=>i*Or(r.value(n),r.value(a)))}look(){this.from=Math.floor(this.scroller.scrollTop/Jt),this.height=this.scroller.clientHeight}turn(e){this.sort=this.sort===e.key?`-${e.key}`:e.key}render(){const e=Math.max(0,Math.min(this.from,this.shown.length)-Me),t=Math.min(this.shown.length,this.from+Math.ceil(this.height/Jt)+Me),s=this.shown.slice(e,t);return h`${this.searchable?h`<div class="top">
            <input type="search" placeholder="Filter" aria-label="Filter ${this.label}" .value=${this.wanted} @input=${r=>this.wanted=r.target.value} />
            <span class="muted small num" role="status">${this.shown.length===this.rows.length?Nt(this.rows.length):`${Nt(this.shown.length)} of ${Nt(this.rows.length)}`}</span>
            <slot name="top"></slot>
          </div>`:p}
      <div class="scroll" tabindex="0" role="region" aria-label="${this.label}, rows" @scroll=${this.look}>
        <table aria-label=${this.label} aria-rowcount=${this.shown.length+1}>
          <thead>
            <tr>
              ${this.columns.map(r=>this.head(r))}
            </tr>
          </thead>
          <tbody>
            ${Le(e,this.columns.length)}
            ${We(s,this.rowKey,(r,i)=>h`<tr aria-rowindex=${e+i+2}>
                ${this.columns.map(n=>h`<td class=${Ie(n)}>${n.cell?n.cell(r):n.value(r)??"–"}</td>`)}
              </tr>`)}
            ${Le(this.shown.length-t,this.columns.length)}
          </tbody>
        </table>
        ${this.shown.length===0?h`<tri-empty heading=${this.rows.length?"Nothing fits the filter":this.empty}></tri-empty>`:p}
      </div>`}head(e){const t=this.sort===e.key,s=this.sort===`-${e.key}`;return h`<th scope="col" class=${Ie(e)} .style=${e.width?`width:${e.width}`:"min-width:0"} aria-sort=${t?"ascending":s?"descending":"none"}>
      ${e.sortable===!1?e.label||h`<span class="only-read">Actions</span>`:h`<button @click=${()=>this.turn(e)}>${e.label}<span aria-hidden="true">${t?"▲":s?"▼":""}</span></button>`}
    </th>`}};E.styles=[S,w`
      :host {
        display: block;
        min-width: 0;
        container-type: inline-size;
      }
      .scroll {
        overflow: auto;
        max-height: var(--table-height, 70vh);
      }
      table {
        width: 100%;
        border-collapse: separate;
        border-spacing: 0;
        table-layout: fixed;
        font-size: var(--text-s);
      }
      th {
        position: sticky;
        z-index: 1;
        top: 0;
        height: 32px;
        padding: 0 var(--space-3);
        border-bottom: 1px solid var(--line);
        background: var(--surface-2);
        color: var(--ink-2);
        font-size: var(--text-xs);
        font-weight: 600;
        text-align: left;
        white-space: nowrap;
      }
      th button {
        min-height: 24px;
        padding: 0;
        border: 0;
        background: none !important;
        color: inherit;
        font-size: inherit;
        font-weight: inherit;
      }
      td {
        height: 34px;
        padding: 0 var(--space-3);
        overflow: hidden;
        border-bottom: 1px solid var(--line);
        text-overflow: ellipsis;
        white-space: nowrap;
      }
      tbody tr:hover td {
        background: var(--surface-2);
      }
      tr.spacer td {
        height: auto;
        padding: 0;
        border: 0;
      }
      .numeric {
        text-align: right;
        font-variant-numeric: tabular-nums;
      }
      .top {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: var(--space-2);
        padding: var(--space-2) var(--space-3);
        border-bottom: 1px solid var(--line);
      }
      .top input {
        flex: 1 1 160px;
        max-width: 320px;
        min-width: 0;
      }
      @container (max-width: 620px) {
        .extra {
          display: none;
        }
        th,
        td {
          padding: 0 var(--space-2);
        }
      }
    `];O([m()],E.prototype,"label",2);O([m({attribute:!1})],E.prototype,"columns",2);O([m({attribute:!1})],E.prototype,"rows",2);O([m({attribute:!1})],E.prototype,"rowKey",2);O([m()],E.prototype,"sort",2);O([m({type:Boolean})],E.prototype,"searchable",2);O([m()],E.prototype,"empty",2);O([k()],E.prototype,"wanted",2);O([k()],E.prototype,"from",2);O([k()],E.prototype,"height",2);O([Z(".scroll")],E.prototype,"scroller",2);E=O([_("tri-table")],E);function Ie(e){return`${e.numeric?"numeric":""} ${e.extra?"extra":""}`}function Le(e,t){return e>0?h`<tr class="spacer" aria-hidden="true"><td colspan=${t} .style=${`height:${e*Jt}px`}></td></tr>`:p}function Or(e,t){return e===null||t===null?e===t?0:e===null?1:-1:typeof e=="number"&&typeof t=="number"?e-t:String(e).localeCompare(String(t),void 0,{numeric:!0})}var Cr=Object.defineProperty,Tr=Object.getOwnPropertyDescriptor,re=(e,t,s,r)=>{for(var i=r>1?void 0:r?Tr(t,s):t,n=e.length-1,a;n>=0;n--)(a=e[n])&&(i=(r?a(t,s,i):a(i))||i);return r&&i&&Cr(t,s,i),i};let ht=class extends ${constructor(){super(...arguments),this.value=null,this.absolute=!1,this.off=null}connectedCallback(){super.connectedCallback(),this.absolute||(this.off=N.everySecond(()=>this.requestUpdate()))}disconnectedCallback(){super.disconnectedCallback(),this.off?.()}render(){if(this.value===null||this.value===void 0||Number.isNaN(A(this.value)))return h`–`;const e=new Date(A(this.value)).toISOString();return h`<time datetime=${e} title=${e}>${this.absolute?ss(this.value):rs(this.value)}</time>`}};ht.styles=w`
    time {
      font-variant-numeric: tabular-nums;
      white-space: nowrap;
    }
  `;re([m({attribute:!1})],ht.prototype,"value",2);re([m({type:Boolean})],ht.prototype,"absolute",2);ht=re([_("tri-time")],ht);/**
 * @license
 * Copyright 2020 Google LLC
 * SPDX-License-Identifier: BSD-3-Clause
 */const Je=Symbol.for(""),Nr=e=>{if(e?.r===Je)return e?._$litStatic$},Dr=e=>({_$litStatic$:e,r:Je}),Re=new Map,Mr=e=>(t,...s)=>{const r=s.length;let i,n;const a=[],o=[];let l,d=0,f=!1;for(;d<r;){for(l=t[d];d<r&&(n=s[d],(i=Nr(n))!==void 0);)l+=i+t[++d],f=!0;d!==r&&o.push(n),a.push(l),d++}if(d===r&&a.push(t[r]),f){const c=a.join("$$lit$$");(t=Re.get(c))===void 0&&(a.raw=a,Re.set(c,t=a)),s=o}return e(t,...s)},Ir=Mr(h);var Lr=Object.defineProperty,Rr=Object.getOwnPropertyDescriptor,Ye=(e,t,s,r)=>{for(var i=r>1?void 0:r?Rr(t,s):t,n=e.length-1,a;n>=0;n--)(a=e[n])&&(i=(r?a(t,s,i):a(i))||i);return r&&i&&Lr(t,s,i),i};let _t=class extends ${constructor(){super(...arguments),this.text="",this.leader=null,this.node=null,this.lost=!1,this.live=new X(this,["link"])}willUpdate(){const{state:e,leader:t,node:s,epoch:r}=v.link,i=t!==null&&this.leader!==null&&t!==this.leader,n=`${t} leads now, in epoch ${r}.`;e==="lost"&&!this.lost?this.text="Not live: the connection is lost.":e==="live"&&this.lost?this.text=`Live again, served by ${s}.${i?` ${n}`:""}`:i?this.text=n:e==="live"&&s!==this.node&&this.node!==null&&(this.text=`Served by ${s} now.`),this.lost=e==="lost",e==="live"&&(this.node=s,this.leader=t??this.leader)}render(){return h`<p class="only-read" role="status" aria-live="polite">${this.text}</p>`}};_t.styles=[S,w`
      :host {
        position: absolute;
      }
    `];Ye([k()],_t.prototype,"text",2);_t=Ye([_("tri-announcer")],_t);var Ur=Object.defineProperty,jr=Object.getOwnPropertyDescriptor,ie=(e,t,s,r)=>{for(var i=r>1?void 0:r?jr(t,s):t,n=e.length-1,a;n>=0;n--)(a=e[n])&&(i=(r?a(t,s,i):a(i))||i);return r&&i&&Ur(t,s,i),i};const zr=1500;let ut=class extends ${constructor(){super(...arguments),this.first=-1/0,this.pressed=e=>this.press(e)}connectedCallback(){super.connectedCallback(),window.addEventListener("keydown",this.pressed)}disconnectedCallback(){super.disconnectedCallback(),window.removeEventListener("keydown",this.pressed)}open(){this.dialog.open||this.dialog.showModal()}get pages(){return kt.filter(e=>e.nav&&(!e.needs||y.may(...e.needs)))}press(e){const t=e.composedPath()[0];if(e.ctrlKey||e.metaKey||e.altKey||e.defaultPrevented||t instanceof HTMLElement&&(t.matches("input, textarea, select")||t.isContentEditable))return;const s=performance.now();if(s-this.first<zr){this.first=-1/0;const r=this.pages.find(i=>i.nav?.key===e.key);r&&(e.preventDefault(),this.dialog.close(),location.hash=`#/${r.path}`)}else if(e.key==="g")this.first=s;else if(e.key==="?")e.preventDefault(),this.open();else if(e.key==="/"){const r=Xe(document.body);r&&(e.preventDefault(),r.focus())}}render(){return h`<dialog aria-labelledby="keys-heading">
      <h2 id="keys-heading">Keys</h2>
      <dl>
        ${this.pages.map(e=>h`<dt><kbd>g</kbd> <kbd>${e.nav?.key}</kbd></dt><dd>${e.nav?.label}</dd>`)}
        <dt><kbd>/</kbd></dt><dd>Filter what is shown</dd>
        <dt><kbd>?</kbd></dt><dd>This list</dd>
        <dt><kbd>Esc</kbd></dt><dd>Close a dialog</dd>
      </dl>
      <div class="row"><button @click=${()=>this.dialog.close()}>Close</button></div>
      ${p}
    </dialog>`}};ut.styles=[S,w`
      dialog {
        width: min(420px, calc(100vw - 2 * var(--space-4)));
        padding: var(--space-5);
        border: 1px solid var(--line-strong);
        border-radius: var(--radius);
        background: var(--surface);
        color: var(--ink);
        box-shadow: var(--shadow);
      }
      dialog::backdrop {
        background: rgb(10 15 20 / 45%);
      }
      dl {
        display: grid;
        grid-template-columns: max-content 1fr;
        gap: var(--space-2) var(--space-4);
        margin: var(--space-4) 0;
        font-size: var(--text-s);
      }
      kbd {
        display: inline-block;
        min-width: 22px;
        padding: 0 5px;
        border: 1px solid var(--line-strong);
        border-radius: var(--radius-s);
        background: var(--surface-2);
        font: 600 var(--text-xs) / 20px var(--mono);
        text-align: center;
      }
    `];ie([Z("dialog")],ut.prototype,"dialog",2);ie([k()],ut.prototype,"first",2);ut=ie([_("tri-keys")],ut);function Xe(e){for(const t of e.querySelectorAll("*")){if(t instanceof HTMLInputElement&&t.type==="search")return t;const s=t.shadowRoot?Xe(t.shadowRoot):null;if(s)return s}return null}var Hr=Object.defineProperty,Fr=Object.getOwnPropertyDescriptor,ne=(e,t,s,r)=>{for(var i=r>1?void 0:r?Fr(t,s):t,n=e.length-1,a;n>=0;n--)(a=e[n])&&(i=(r?a(t,s,i):a(i))||i);return r&&i&&Hr(t,s,i),i};const Br=["Plant","Frames","Cluster"];let pt=class extends ${constructor(){super(...arguments),this.pages=[],this.at=null,this.live=new X(this,["session","alerts"])}render(){const e=this.at?.nav?this.at.path:this.at?.under,t=v.list("alerts").filter(r=>r.state==="FIRING"&&!r.acknowledged&&r.silenced_by.length===0).length,s=y.state==="signed-in"?this.pages.filter(r=>r.nav&&(!r.needs||y.may(...r.needs))):[];return h`<nav aria-label="Pages">
      <a class="mark" href="#/"
        ><svg viewBox="0 0 32 32" aria-hidden="true">
          <path d="M16 7 7 23h18z" fill="none" stroke="var(--accent)" stroke-width="2.4" />
          <circle cx="16" cy="7" r="4.4" fill="var(--accent)" />
          <circle cx="7" cy="23" r="4.4" fill="var(--ink-3)" />
          <circle cx="25" cy="23" r="4.4" fill="var(--ink-3)" /></svg
        >Triarch</a
      >
      ${Br.map(r=>{const i=s.filter(n=>n.nav?.group===r);return i.length===0?p:h`<div class="group">
          <h2 id=${r}>${r}</h2>
          <ul aria-labelledby=${r}>
            ${i.map(n=>h`<li>
                <a href=${n.path?T(n.path):"#/"} aria-current=${n.path===e?"page":p}
                  >${n.nav?.label}${n.path==="alerts"&&t>0?h`<span class="count">${t}<span class="only-read"> firing</span></span>`:p}</a
                >
              </li>`)}
          </ul>
        </div>`})}
    </nav>`}};pt.styles=[S,w`
      :host {
        display: block;
        border-right: 1px solid var(--line);
        background: var(--surface);
      }
      nav {
        position: sticky;
        top: 0;
        display: grid;
        gap: var(--space-4);
        align-content: start;
        height: 100dvh;
        padding: var(--space-3);
        overflow: auto;
      }
      .mark {
        display: flex;
        align-items: center;
        gap: var(--space-2);
        padding: var(--space-1) var(--space-2);
        color: var(--ink);
        font-size: var(--text-l);
        font-weight: 650;
        letter-spacing: -0.01em;
      }
      .mark:hover {
        text-decoration: none;
      }
      svg {
        width: 22px;
        height: 22px;
        flex: none;
      }
      h2 {
        padding: 0 var(--space-2) var(--space-1);
        color: var(--ink-3);
        font-size: var(--text-xs);
        font-weight: 600;
      }
      ul {
        display: grid;
        gap: 1px;
        list-style: none;
      }
      li a {
        display: flex;
        align-items: center;
        justify-content: space-between;
        gap: var(--space-2);
        min-height: 32px;
        padding: 0 var(--space-2);
        border-radius: var(--radius-s);
        color: var(--ink-2);
        font-weight: 500;
      }
      li a:hover {
        background: var(--surface-2);
        text-decoration: none;
      }
      li a[aria-current="page"] {
        background: var(--accent-soft);
        color: var(--accent);
        font-weight: 600;
      }
      .count {
        min-width: 18px;
        padding: 0 5px;
        border-radius: 9px;
        background: var(--bad-soft);
        color: var(--bad);
        font-size: var(--text-xs);
        font-weight: 600;
        line-height: 18px;
        text-align: center;
      }
      @media (max-width: 760px) {
        :host {
          border-right: 0;
          border-bottom: 1px solid var(--line);
        }
        nav {
          position: static;
          display: flex;
          flex-wrap: wrap;
          gap: 0 var(--space-1);
          align-items: center;
          height: auto;
          padding: var(--space-2);
        }
        h2 {
          display: none;
        }
        ul,
        .group {
          display: contents;
        }
        li a {
          min-height: 36px;
        }
      }
    `];ne([m({attribute:!1})],pt.prototype,"pages",2);ne([m({attribute:!1})],pt.prototype,"at",2);pt=ne([_("tri-navigation")],pt);var qr=Object.defineProperty,Vr=Object.getOwnPropertyDescriptor,ae=(e,t,s,r)=>{for(var i=r>1?void 0:r?Vr(t,s):t,n=e.length-1,a;n>=0;n--)(a=e[n])&&(i=(r?a(t,s,i):a(i))||i);return r&&i&&qr(t,s,i),i};let ft=class extends ${constructor(){super(...arguments),this.busy=!1,this.refused="",this.live=new X(this,["session"])}async submit(e){e.preventDefault();const t=String(new FormData(e.target).get("token")??"").trim();if(!(!t||this.busy)){if(!/^[\x21-\x7e]+$/.test(t)){this.refused="A token has visible ASCII characters only: something else was pasted.";return}this.busy=!0,this.refused="";try{await y.signIn(t)}catch(s){this.refused=q(s)}finally{this.busy=!1}}}render(){if(y.state==="asking")return h`<tri-loading></tri-loading>`;if(y.state==="unreachable")return h`<tri-empty heading="No node answers">${y.refusal}. Asking again …</tri-empty>`;const e=this.refused||y.refusal;return h`<form class="card" @submit=${this.submit} aria-labelledby="heading">
      <h1 id="heading">Sign in</h1>
      <div class="field">
        <label for="token">Token</label>
        <input id="token" name="token" type="password" autocomplete="off" spellcheck="false" required aria-describedby="hint" />
        <span class="hint" id="hint">Of this cluster, or of your identity provider. It is kept until this tab is closed. <code>triarch token create</code> makes one.</span>
      </div>
      ${e?h`<p class="refused" role="alert">${e}</p>`:p}
      <div class="row"><button class="primary" ?disabled=${this.busy}>${this.busy?"Asking …":"Sign in"}</button></div>
    </form>`}};ft.styles=[S,w`
      form {
        display: grid;
        gap: var(--space-4);
        width: min(440px, 100%);
        margin: 10vh auto 0;
      }
      input {
        width: 100%;
        font-family: var(--mono);
      }
      .refused {
        color: var(--bad);
        font-size: var(--text-s);
      }
    `];ae([k()],ft.prototype,"busy",2);ae([k()],ft.prototype,"refused",2);ft=ae([_("tri-sign-in")],ft);const Qe="triarch.theme",Ft=["auto","light","dark"];function oe(){const e=localStorage.getItem(Qe);return e==="light"||e==="dark"?e:"auto"}function le(){const e=oe();e==="auto"?delete document.documentElement.dataset.theme:document.documentElement.dataset.theme=e,window.dispatchEvent(new Event("triarch-theme"))}function Wr(){const e=Ft[(Ft.indexOf(oe())+1)%Ft.length]??"auto";return localStorage.setItem(Qe,e),le(),e}matchMedia("(prefers-color-scheme: dark)").addEventListener("change",()=>le());var Kr=Object.defineProperty,Gr=Object.getOwnPropertyDescriptor,Ze=(e,t,s,r)=>{for(var i=r>1?void 0:r?Gr(t,s):t,n=e.length-1,a;n>=0;n--)(a=e[n])&&(i=(r?a(t,s,i):a(i))||i);return r&&i&&Kr(t,s,i),i};const Jr=3;let xt=class extends ${constructor(){super(...arguments),this.live=new X(this,["link","figures","session"]),this.shown=oe(),this.timer=null}connectedCallback(){super.connectedCallback(),this.timer=setInterval(()=>this.requestUpdate(),500)}disconnectedCallback(){super.disconnectedCallback(),this.timer!==null&&clearInterval(this.timer)}willUpdate(){this.dataset.index=String(v.link.index)}render(){const{link:e}=v,t=y.state==="signed-in"&&v.loaded,s=(performance.now()-e.figuresAt)/1e3,r=(e.staleness??0)+Math.max(0,s-1),i=e.state==="live"&&r<Jr&&e.leader!==null,n=i?"LIVE":e.state==="live"?e.leader===null?"NO LEADER":"STALE":"NOT LIVE";return h`<header aria-label="Status"><div class="line">
        ${t?h`<tri-badge state=${n} tone=${i?"ok":e.state==="live"?"warn":"bad"} data-word=${n}></tri-badge>
              <dl>
                <div><dt>served by</dt><dd data-fact="node">${e.node??"–"}</dd></div>
                <div><dt>leader</dt><dd data-fact="leader">${e.leader??"none"}</dd></div>
                <div><dt>epoch</dt><dd data-fact="epoch">${e.epoch??"–"}</dd></div>
                <div><dt>state</dt><dd data-fact="age">${i?r<1?"under 1 s old":`${L(r)} old`:e.state==="live"?`${L(r)} old`:`${L(s)} old`}</dd></div>
              </dl>`:p}
        <div class="right">
          ${y.who?h`<span class="who">${y.who.kind==="open"?"no sign-in needed":`${y.who.name||y.who.id} · ${y.who.role}`}</span>`:p}
          <button class="plain" title="Colours: ${this.shown}" aria-label="Colours: ${this.shown}. Change" data-do="theme" @click=${()=>this.shown=Wr()}>
            <svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true"><circle cx="8" cy="8" r="6.2" fill="none" stroke="currentColor" stroke-width="1.5" /><path d="M8 1.8a6.2 6.2 0 0 1 0 12.4z" fill="currentColor" /></svg>
          </button>
          ${t?h`<button class="plain" title="Keys (?)" aria-label="Keys" @click=${()=>this.dispatchEvent(new Event("help"))}>?</button>`:p}
          ${y.who&&y.who.kind!=="open"?h`<button class="plain" data-do="sign-out" @click=${()=>y.end()}>Sign out</button>`:p}
        </div>
      </div>
      ${t&&e.state!=="live"?h`<div class="bar bad" data-bar="lost">Not live: what is shown is ${L(s)} old. ${e.reason}. Connecting to another node …</div>`:t&&e.leader===null?h`<div class="bar warn" data-bar="leaderless">No leader is known: nothing can be changed until one is elected.</div>`:t&&!i?h`<div class="bar warn" data-bar="stale">${e.node} is behind: its state is ${L(r)} old.</div>`:p}
      </header>`}};xt.styles=[S,w`
      :host {
        display: block;
        border-bottom: 1px solid var(--line);
        background: var(--surface);
      }
      .line {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: var(--space-1) var(--space-4);
        min-height: 46px;
        padding: var(--space-1) var(--space-5);
        font-size: var(--text-s);
      }
      dl {
        display: flex;
        flex-wrap: wrap;
        gap: 0 var(--space-4);
      }
      dl div {
        display: flex;
        gap: 5px;
      }
      dt {
        color: var(--ink-3);
      }
      dd {
        font-weight: 600;
        font-variant-numeric: tabular-nums;
      }
      .right {
        display: flex;
        align-items: center;
        gap: var(--space-1);
        margin-left: auto;
      }
      .who {
        color: var(--ink-2);
        padding-right: var(--space-2);
      }
      .bar {
        padding: var(--space-2) var(--space-5);
        border-top: 1px solid var(--line);
        font-size: var(--text-s);
        font-weight: 500;
      }
      .bar.bad {
        background: var(--bad-soft);
        color: var(--bad);
      }
      .bar.warn {
        background: var(--warn-soft);
        color: var(--warn);
      }
      .right button {
        min-width: 30px;
        justify-content: center;
        padding: 0 var(--space-2);
      }
      @media (max-width: 760px) {
        .line,
        .bar {
          padding-inline: var(--space-3);
        }
        .who {
          display: none;
        }
        .line {
          flex-wrap: nowrap;
          align-items: start;
          gap: var(--space-2);
        }
        dl {
          gap: 0 var(--space-3);
        }
        tri-badge,
        dl {
          margin-top: 5px;
        }
      }
    `];Ze([k()],xt.prototype,"shown",2);xt=Ze([_("tri-status")],xt);var Yr=Object.defineProperty,Xr=Object.getOwnPropertyDescriptor,gt=(e,t,s,r)=>{for(var i=r>1?void 0:r?Xr(t,s):t,n=e.length-1,a;n>=0;n--)(a=e[n])&&(i=(r?a(t,s,i):a(i))||i);return r&&i&&Yr(t,s,i),i};function Qr(){requestIdleCallback(()=>{for(const e of kt)e.load().catch(()=>{})})}let V=class extends ${constructor(){super(...arguments),this.at=Mt(),this.failed=null,this.ready=new Set,this.live=new X(this,["session","link"]),this.moved=()=>this.move(),this.kept=()=>{this.at=Mt()}}connectedCallback(){super.connectedCallback(),window.addEventListener("hashchange",this.moved),window.addEventListener(qt,this.kept),this.load().then(Qr)}disconnectedCallback(){super.disconnectedCallback(),window.removeEventListener("hashchange",this.moved),window.removeEventListener(qt,this.kept)}move(){const e=this.at.page;this.at=Mt(),this.load(),e!==this.at.page&&(window.scrollTo(0,0),this.updateComplete.then(()=>this.main?.focus({preventScroll:!0})))}async load(){const e=this.at.page;if(document.title=`${e?.title??"Not found"} · Triarch`,this.failed=null,!(!e||this.ready.has(e.tag))){try{await e.load(),this.ready.add(e.tag)}catch(t){this.failed=new Error(`The page could not be loaded (${t instanceof Error?t.message:t}). Reload.`)}this.requestUpdate()}}page(){const{page:e,params:t,query:s}=this.at;if(!e)return h`<tri-empty heading="There is no such page"><a href="#/">Overview</a></tri-empty>`;if(this.failed)return h`<tri-error .error=${this.failed} .retry=${()=>location.reload()}></tri-error>`;const r=e.needs?y.denied(...e.needs):"";if(r)return h`<tri-empty heading="Not for your role">${r}</tri-empty>`;if(!this.ready.has(e.tag)||!v.loaded)return h`<tri-loading></tri-loading>`;const i=Dr(e.tag);return Ir`<${i} .params=${t} .query=${s}></${i}>`}render(){const e=y.state==="signed-in",t=e&&v.loaded&&v.link.state!=="live";return h`<nav aria-label="Shortcut">
        <a
          class="skip"
          href="#main"
          @click=${s=>{s.preventDefault(),this.main.focus()}}
          >Skip to the page</a
        >
      </nav>
      <tri-navigation .pages=${kt} .at=${this.at.page}></tri-navigation>
      <tri-status @help=${()=>this.keys.open()}></tri-status>
      <main id="main" tabindex="-1" class=${t?"old":""} data-live=${e&&!t?"yes":"no"}>
        ${e?this.page():h`<tri-sign-in></tri-sign-in>`}
      </main>
      <tri-announcer></tri-announcer>
      ${e?h`<tri-keys></tri-keys>`:p}`}};V.styles=[S,w`
      :host {
        display: grid;
        grid-template: auto 1fr / var(--nav) minmax(0, 1fr);
        grid-template-areas: "nav head" "nav main";
        min-height: 100dvh;
      }
      .skip {
        position: absolute;
        z-index: 40;
        top: -60px;
        left: var(--space-2);
        padding: var(--space-2) var(--space-4);
        border-radius: var(--radius-s);
        background: var(--accent);
        color: var(--accent-ink);
      }
      .skip:focus {
        top: var(--space-2);
      }
      tri-navigation {
        grid-area: nav;
      }
      tri-status {
        grid-area: head;
        position: sticky;
        z-index: 10;
        top: 0;
      }
      main {
        grid-area: main;
        min-width: 0;
        max-width: 1500px;
        width: 100%;
        padding: var(--space-5);
      }
      main:focus {
        outline: none;
      }
      /* What is shown is not how it is now: the status says so in words, and the page is greyed. */
      main.old {
        box-shadow: inset 0 4px 0 var(--bad);
        filter: grayscale(1);
      }
      @media (max-width: 760px) {
        :host {
          grid-template: auto auto 1fr / minmax(0, 1fr);
          grid-template-areas: "nav" "head" "main";
        }
        main {
          padding: var(--space-3);
        }
      }
    `];gt([k()],V.prototype,"at",2);gt([k()],V.prototype,"failed",2);gt([Z("main")],V.prototype,"main",2);gt([Z("tri-keys")],V.prototype,"keys",2);V=gt([_("tri-app")],V);le();N.set();y.begin();export{p as A,ri as B,Nt as C,ti as D,N as E,ss as F,Pt as G,Z as H,y as I,A as J,We as K,X as L,us as M,gi as N,cs as O,P,It as Q,oi as S,mi as a,h as b,Ee as c,pi as d,ui as e,L as f,ni as g,ei as h,$ as i,si as j,T as k,Zr as l,S as m,Bs as n,w as o,ii as p,m as q,fi as r,v as s,pr as t,k as u,_ as v,ai as w,st as x,$r as y,li as z};
