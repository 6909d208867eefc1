const __vite__mapDeps=(i,m=__vite__mapDeps,d=(m.f||(m.f=["assets/overview-CIZtaILs.js","assets/chart-BT1yW9br.js","assets/decisions-Ba2DH9Ro.js","assets/component-shown-CXb_gVNc.js","assets/every-dSeuuQNj.js","assets/shown-Dvog4kQy.js","assets/components-CStfrjOo.js","assets/component-B2g5QqTE.js","assets/executions-FeRrPLSY.js","assets/execution-BMmE7pFt.js","assets/polled-BU2n1_IC.js","assets/frames-DU4fWyVF.js","assets/dead-BMi5c5Xa.js","assets/camera-ChR4h3oE.js","assets/frame-CU-Gq2e5.js","assets/alerts-DrLdWUmf.js","assets/journal-Bt3KwwKl.js","assets/access-DlefCA9r.js"])))=>i.map(i=>d[i]);
class es{constructor(){this.offset=0,this.listeners=new Set,this.timer=null}now(){return Date.now()+this.offset}async set(){const t=Date.now(),s=await fetch("/healthz",{cache:"no-store"}).catch(()=>null),i=Date.parse(s?.headers.get("Date")??""),r=Date.now(),n=i+500-(t+r)/2;Number.isNaN(n)||(this.offset=Math.abs(n)<1500?0:n)}everySecond(t){return this.listeners.add(t),this.timer??=setInterval(()=>this.listeners.forEach(s=>s()),1e3),()=>{this.listeners.delete(t),this.listeners.size===0&&this.timer!==null&&(clearInterval(this.timer),this.timer=null)}}}const N=new es,Bt=new Intl.DateTimeFormat(void 0,{hour:"2-digit",minute:"2-digit",second:"2-digit",hourCycle:"h23"}),Tt=new Intl.DateTimeFormat(void 0,{year:"numeric",month:"short",day:"2-digit"}),Et=new Intl.NumberFormat(void 0,{maximumFractionDigits:0}),G=new Intl.NumberFormat(void 0,{maximumFractionDigits:1}),ss=new Intl.NumberFormat(void 0,{maximumSignificantDigits:3});function Nt(e){return e==null?"–":Et.format(e)}function er(e){return e==null?"–":Math.abs(e)>=1e3?Et.format(e):Math.abs(e)>=10?G.format(e):ss.format(e)}function sr(e){return e==null?"–":(e>=100?Et:G).format(e)}function ir(e){return e==null?"–":`${G.format(e*100)} %`}function rr(e){if(e==null)return"–";let t=e;for(const s of["B","KiB","MiB","GiB"]){if(t<1024)return`${G.format(t)} ${s}`;t/=1024}return`${G.format(t)} TiB`}function R(e){if(e==null||!Number.isFinite(e))return"–";const t=Math.max(0,e);return t<1?`${t.toFixed(2)} s`:t<10?`${G.format(t)} s`:t<60?`${Math.round(t)} s`:t<3600?Dt(Math.floor(t/60),"min",Math.round(t%60),"s"):t<86400?Dt(Math.floor(t/3600),"h",Math.round(t%3600/60),"min"):Dt(Math.floor(t/86400),"d",Math.round(t%86400/3600),"h")}function Dt(e,t,s,i){return s===0?`${e} ${t}`:`${e} ${t} ${s} ${i}`}function A(e){return typeof e=="number"?e*1e3:Date.parse(e)}function is(e){if(e==null)return"–";const t=A(e);return Number.isNaN(t)?String(e):Tt.format(N.now())===Tt.format(t)?Bt.format(t):`${Tt.format(t)} ${Bt.format(t)}`}function nr(e){return Bt.format(e)}function rs(e){const t=(N.now()-A(e))/1e3;return t<-1?`in ${R(-t)}`:t<1?"now":`${R(Math.floor(t))} ago`}function ar(e,t,s=`${t}s`){return`${Et.format(e)} ${e===1?t:s}`}const ns=(function(){const t=typeof document<"u"&&document.createElement("link").relList;return t&&t.supports&&t.supports("modulepreload")?"modulepreload":"preload"})(),as=function(e){return"/"+e},de={},x=function(t,s,i){let r=Promise.resolve();if(s&&s.length>0){let a=function(d){return Promise.all(d.map(f=>Promise.resolve(f).then(c=>({status:"fulfilled",value:c}),c=>({status:"rejected",reason:c}))))};document.getElementsByTagName("link");const o=document.querySelector("meta[property=csp-nonce]"),l=o?.nonce||o?.getAttribute("nonce");r=a(s.map(d=>{if(d=as(d),d in de)return;de[d]=!0;const f=d.endsWith(".css"),c=f?'[rel="stylesheet"]':"";if(document.querySelector(`link[href="${d}"]${c}`))return;const u=document.createElement("link");if(u.rel=f?"stylesheet":ns,f||(u.as="script"),u.crossOrigin="",u.href=d,l&&u.setAttribute("nonce",l),document.head.appendChild(u),f)return new Promise((g,b)=>{u.addEventListener("load",g),u.addEventListener("error",()=>b(new Error(`Unable to preload CSS for ${d}`)))})}))}function n(a){const o=new Event("vite:preloadError",{cancelable:!0});if(o.payload=a,window.dispatchEvent(o),!o.defaultPrevented)throw a}return r.then(a=>{for(const o of a||[])o.status==="rejected"&&n(o.reason);return t().catch(n)})},kt=[{path:"",tag:"page-overview",title:"Overview",load:()=>x(()=>import("./overview-CIZtaILs.js"),__vite__mapDeps([0,1,2,3,4,5])),nav:{label:"Overview",key:"o",group:"Plant"}},{path:"components",tag:"page-components",title:"Components",load:()=>x(()=>import("./components-CStfrjOo.js"),__vite__mapDeps([6,3,4])),nav:{label:"Components",key:"c",group:"Plant"}},{path:"components/:id",tag:"page-component",title:"Component",load:()=>x(()=>import("./component-B2g5QqTE.js"),__vite__mapDeps([7,1,2,4,3])),under:"components"},{path:"playbooks",tag:"page-playbooks",title:"Playbooks",load:()=>x(()=>import("./playbooks-CMGC2HwW.js"),[]),nav:{label:"Playbooks",key:"p",group:"Plant"}},{path:"playbooks/:name",tag:"page-playbooks",title:"Playbook",load:()=>x(()=>import("./playbooks-CMGC2HwW.js"),[]),under:"playbooks"},{path:"executions",tag:"page-executions",title:"Executions",load:()=>x(()=>import("./executions-FeRrPLSY.js"),__vite__mapDeps([8,5])),nav:{label:"Executions",key:"e",group:"Plant"}},{path:"executions/:id",tag:"page-execution",title:"Execution",load:()=>x(()=>import("./execution-BMmE7pFt.js"),__vite__mapDeps([9,10,5])),under:"executions"},{path:"frames",tag:"page-frames",title:"Frames",load:()=>x(()=>import("./frames-DU4fWyVF.js"),__vite__mapDeps([11,1,10,12])),nav:{label:"Frames",key:"f",group:"Frames"}},{path:"frames/camera/:id",tag:"page-camera",title:"Camera",load:()=>x(()=>import("./camera-ChR4h3oE.js"),__vite__mapDeps([13,10,12])),under:"frames"},{path:"frames/frame/:id",tag:"page-frame",title:"Frame",load:()=>x(()=>import("./frame-CU-Gq2e5.js"),__vite__mapDeps([14,10])),under:"frames"},{path:"alerts",tag:"page-alerts",title:"Alerts",load:()=>x(()=>import("./alerts-DrLdWUmf.js"),__vite__mapDeps([15,4])),nav:{label:"Alerts",key:"l",group:"Plant"}},{path:"journal",tag:"page-journal",title:"Journal",load:()=>x(()=>import("./journal-Bt3KwwKl.js"),__vite__mapDeps([16,4])),nav:{label:"Journal",key:"j",group:"Plant"}},{path:"audit",tag:"page-audit",title:"Audit",load:()=>x(()=>import("./audit-DISC2RoT.js"),[]),nav:{label:"Audit",key:"u",group:"Cluster"},needs:["GET","/v1/audit"]},{path:"access",tag:"page-access",title:"Access",load:()=>x(()=>import("./access-DlefCA9r.js"),__vite__mapDeps([17,4])),nav:{label:"Access",key:"t",group:"Cluster"},needs:["GET","/v1/tokens"]}];function Mt(e=location.hash){const[t="",s=""]=e.replace(/^#\/?/,"").split("?",2),i=t.split("/").filter(Boolean).map(os);for(const r of kt){const n=r.path.split("/").filter(Boolean);if(n.length!==i.length)continue;const a={};if(n.every((l,d)=>l.startsWith(":")?(a[l.slice(1)]=i[d]??"",!0):l===i[d]))return{page:r,params:a,query:new URLSearchParams(s)}}return{page:null,params:{},query:new URLSearchParams}}function os(e){try{return decodeURIComponent(e)}catch{return e}}function T(...e){return`#/${e.map(encodeURIComponent).join("/")}`}function or(...e){location.hash=T(...e)}const qt="triarch:query-kept";function lr(e){const[t=""]=location.hash.split("?",1),s=new URLSearchParams(Object.entries(e).filter(([,i])=>i!=="")).toString();history.replaceState(null,"",(t||"#/")+(s?`?${s}`:"")),window.dispatchEvent(new Event(qt))}const ls={journal:500,audit:500},he=600;class cs{constructor(){this.link={state:"connecting",origin:location.origin,node:null,leader:null,epoch:null,index:0,staleness:null,heardAt:0,figuresAt:0,reason:""},this.figures=null,this.trail=[],this.loaded=!1,this.subjects=new Map,this.listeners=new Map,this.dirty=new Set,this.scheduled=!1,this.taps=[]}tap(t){this.taps.push(t)}rows(t){return this.of(t)}list(t){return[...this.rows(t).values()]}members(){const t=new Map((this.figures?.members??[]).map(s=>[s.id,s]));return[...this.rows("cluster")].filter(([s])=>!s.startsWith("@")).map(([s,i])=>({...i,...t.get(s)}))}leaderships(){return[...this.rows("cluster")].filter(([t])=>t.startsWith("@")&&t!=="@claim").map(([,t])=>t).sort((t,s)=>t.at-s.at)}on(t,s){for(const i of t){const r=this.listeners.get(i)??new Set;r.add(s),this.listeners.set(i,r)}return()=>t.forEach(i=>this.listeners.get(i)?.delete(s))}replace(t,s){for(const i of new Set([...this.subjects.keys(),...Object.keys(s)]))this.subjects.set(i,new Map(Object.entries(s[i]??{}))),this.bound(i),this.touch(i);if(this.taps.length)for(const[i,r]of this.subjects)for(const[n,a]of r)this.taps.forEach(o=>o.row(i,n,a,!1));this.link.index=t,this.loaded=!0,this.touch("link")}change(t,s){for(const{subject:i,id:r,row:n}of s){const a=this.of(i);n===null?a.delete(r):a.set(r,n),this.taps.forEach(o=>o.row(i,r,n,!0)),this.bound(i),this.touch(i)}this.link.index=Math.max(this.link.index,t)}tell(t){this.figures=t;const s=performance.now();Object.assign(this.link,{node:t.node,leader:t.leader,epoch:t.epoch,staleness:Math.max(t.state_age_s??0,t.staleness_s??0),figuresAt:s,index:Math.max(this.link.index,t.index??0)}),this.trail.push({at:Date.now()/1e3,frames:t.frames??null}),this.trail.length>he&&this.trail.splice(0,this.trail.length-he),this.touch("figures"),this.touch("link")}relink(t){Object.assign(this.link,t),this.touch("link")}forget(){this.subjects.clear(),this.taps.forEach(t=>t.forget()),this.trail.length=0,this.figures=null,this.loaded=!1,[...this.listeners.keys()].forEach(t=>this.touch(t))}touch(t){this.dirty.add(t),!this.scheduled&&(this.scheduled=!0,requestAnimationFrame(()=>{this.scheduled=!1;const s=new Set;for(const i of this.dirty)this.listeners.get(i)?.forEach(r=>s.add(r));this.dirty.clear(),s.forEach(i=>i())}))}of(t){let s=this.subjects.get(t);return s||this.subjects.set(t,s=new Map),s}bound(t){const s=ls[t];if(s===void 0)return;const i=this.of(t);for(const r of i.keys()){if(i.size<=s)break;i.delete(r)}}}const v=new cs;class X{constructor(t,s,i=0){this.host=t,this.topics=s,this.ms=i,this.off=null,this.timer=null,this.drawnAt=-1/0,t.addController(this)}hostConnected(){this.off=v.on(this.topics,()=>this.changed())}hostDisconnected(){this.off?.(),this.off=null,this.timer!==null&&clearTimeout(this.timer),this.timer=null}changed(){if(this.timer!==null)return;const t=this.drawnAt+this.ms-performance.now();t>0?this.timer=setTimeout(()=>this.draw(),t):this.draw()}draw(){this.timer=null,this.drawnAt=performance.now(),this.host.requestUpdate()}}const cr=["supervision","trigger","execution","step","alert","leadership","component","event"],ds=["info","warning","error","critical"],It=300;class hs{constructor(){this.kept=new Map,this.seen=new Map,this.stepped=new Map,v.tap({row:(...t)=>this.take(...t),forget:()=>this.forget()})}list(t=""){const s=[...this.kept.values()].flatMap(i=>[...i.values()]);return(t?s.filter(i=>i.about===t):s).sort(pe)}unstepped(t,s){return v.list("executions").sort((r,n)=>n.index-r.index).slice(0,t).filter(r=>(this.stepped.get(r.id)??-1)<r.index).slice(0,s)}steps(t){for(const s of t.steps){const i=`${t.id}/${s.path}/${s.started}`,r=`${s.id||s.path} (${s.type.replaceAll("_"," ")})`,n=(o,l,d,f,c)=>l!==null&&this.put({id:`${i}/${o}`,at:A(l),source:"step",level:d,about:t.playbook,href:T("playbooks",t.playbook),what:f,why:c,execution:t.id});n("begun",s.started,"info",`Begins step ${r}`,"");const a=s.retrying&&`retry/${s.retrying.n}`;s.retrying&&a&&!this.kept.get("step")?.has(`${i}/${a}`)&&n(a,new Date(N.now()).toISOString(),"warning",`Tries step ${r} again, attempt ${s.retrying.n}`,s.retrying.error),s.ended&&n("ended",s.ended,s.status==="SUCCEEDED"||s.status==="SKIPPED"?"info":s.status==="CANCELLED"?"warning":"error",`Step ${r} is ${s.status.toLowerCase().replace("_"," ")}`,s.error||s.code)}this.stepped.delete(t.id),this.stepped.set(t.id,t.index);for(const s of this.stepped.keys())this.stepped.size>It&&this.stepped.delete(s)}stepless(t){this.stepped.set(t.id,t.index)}take(t,s,i,r){if(t==="components")this.component(s,i);else{if(i===null)return;t==="policies"?this.run(s,i,r):t==="alerts"?this.alert(i):t==="executions"?this.execution(i):t==="journal"?this.line(i):t==="cluster"&&s.startsWith("@")&&s!=="@claim"&&this.leadership(i)}}forget(){this.kept.clear(),this.seen.clear(),this.stepped.clear()}put(t){let s=this.kept.get(t.source);s||this.kept.set(t.source,s=new Map),s.set(t.id,t),!(s.size<=It*1.2)&&[...s.values()].sort(pe).slice(It).forEach(i=>s.delete(i.id))}component(t,s){if(s===null){this.seen.delete(t)&&this.put({id:`${t}/gone/${N.now()}`,at:N.now(),source:"component",level:"info",about:t,href:"",what:"Is not registered any more",why:"",execution:""});return}const i=s.presence==="OFFLINE"?"OFFLINE":s.state==="FAULT"?"FAULT":s.health==="UNRESPONSIVE"?"UNRESPONSIVE":"",r=this.seen.get(t);if(this.seen.set(t,i),r===void 0||r===i)return;const n=i==="FAULT"?s.reason:s.health_reason||s.reason;this.put({id:`${t}/${i}/${N.now()}`,at:N.now(),source:"component",level:i?"error":"info",about:t,href:T("components",t),what:i?`Is ${i}`:`Is ${r} no more`,why:i?n:`it is ${s.state}`,execution:""})}run(t,s,i){const r=s.run,n={source:"supervision",about:t,href:T("components",t),execution:""};if(r){const o=r.purpose==="restart"?"Restarts it":r.goal==="STARTED"?"Starts it":r.purpose==="cascade"?"Stops it for what it needs":r.purpose==="group"?"Stops it with its group":"Stops it",l=r.purpose==="restart"||r.purpose==="cascade"||r.purpose==="group"||r.outcome==="abandoned"?"warning":"info";this.put({...n,id:`${t}/${r.number}`,at:A(r.time),level:l,what:`${o}: ${r.outcome||"goes on"}`,why:r.reason})}if(!s.exhausted)return;const a=`${t}/${r?.number??0}/given up`;this.kept.get("supervision")?.has(a)||this.put({...n,id:a,at:i||!r?N.now():A(r.time),level:"error",what:"Gives it up",why:s.exhausted})}alert(t){if(t.id===null)return;const s=ds.find(d=>d===t.severity)??"warning",i=t.members[0],r=t.members_total===1&&i?i.subject:"",a=this.kept.get("alert")?.get(`${t.id}/fired`)??{about:r||t.rule,href:r&&v.rows("components").has(r)?T("components",r):T("alerts")},o={source:"alert",about:a.about,href:a.href,execution:""},l=i?t.members.slice(0,3).map(d=>`${d.subject}: ${d.reason}`).join("; "):t.summary;t.fired_time!==null&&this.put({...o,id:`${t.id}/fired`,at:A(t.fired_time),level:s,what:`Alert ${t.rule} fires`,why:l}),t.resolved_time!==null&&this.put({...o,id:`${t.id}/resolved`,at:A(t.resolved_time),level:"info",what:`Alert ${t.rule} is resolved`,why:"its condition holds no more"})}leadership(t){const s=t.gap_s===null?"":`, after ${R(t.gap_s)} without a leader`;this.put({id:t.epoch,at:A(t.at),source:"leadership",level:t.reason==="election"?"warning":"info",about:t.node,href:"#/",what:`Leads in epoch ${t.epoch}`,why:`${t.reason}${s}`,execution:""})}execution(t){const s={about:t.playbook,href:T("playbooks",t.playbook),execution:t.id},i=t.who.startsWith("trigger "),r=t.parent?`by execution ${t.parent.execution}`:t.who?`by ${t.who}`:"";this.put({...s,id:`${t.id}/created`,at:A(t.created),source:i?"trigger":"execution",level:"info",what:i?"Sets off an execution":"Execution is asked for",why:r}),t.ended&&this.put({...s,id:ue(t.id,t.index),at:A(t.ended),source:"execution",level:t.status==="SUCCEEDED"?"info":t.status==="CANCELLED"?"warning":"error",what:`Execution is ${t.status.toLowerCase().replace("_"," ")}`,why:[t.code,t.error].filter(Boolean).join(": ")})}line(t){const s=String(t.type),i=s.startsWith("playbook."),r=s==="playbook.failed"?ue(t.execution,t.index):`line/${t.number}`,n=s==="playbook.trigger_failed"?"trigger":i?"execution":"event";if(s==="playbook.failed"&&this.kept.get(n)?.has(r))return;const{message:a,...o}=t.data??{},l=Object.keys(o).length?JSON.stringify(o):"",d=i?T("playbooks",t.source):v.rows("components").has(t.source)?T("components",t.source):"";this.put({id:r,at:A(t.time),source:n,level:t.level,about:t.source,href:d,what:i?us[s]??s:`Event ${s}`,why:[t.message,l].filter(Boolean).join(" "),execution:t.execution})}}const us={"playbook.log":"Writes","playbook.failed":"Execution is failed","playbook.approval_needed":"Asks for an approval","playbook.trigger_failed":"A trigger starts nothing"};function ue(e,t){return`${e}/ended/${t}`}const ps=new Intl.Collator("en",{numeric:!0});function pe(e,t){return t.at-e.at||ps.compare(t.id,e.id)}const dr=new hs;/**
 * @license
 * Copyright 2019 Google LLC
 * SPDX-License-Identifier: BSD-3-Clause
 */const mt=globalThis,Yt=mt.ShadowRoot&&(mt.ShadyCSS===void 0||mt.ShadyCSS.nativeShadow)&&"adoptedStyleSheets"in Document.prototype&&"replace"in CSSStyleSheet.prototype,Xt=Symbol(),fe=new WeakMap;let je=class{constructor(t,s,i){if(this._$cssResult$=!0,i!==Xt)throw Error("CSSResult is not constructable. Use `unsafeCSS` or `css` instead.");this.cssText=t,this.t=s}get styleSheet(){let t=this.o;const s=this.t;if(Yt&&t===void 0){const i=s!==void 0&&s.length===1;i&&(t=fe.get(s)),t===void 0&&((this.o=t=new CSSStyleSheet).replaceSync(this.cssText),i&&fe.set(s,t))}return t}toString(){return this.cssText}};const fs=e=>new je(typeof e=="string"?e:e+"",void 0,Xt),w=(e,...t)=>{const s=e.length===1?e[0]:t.reduce((i,r,n)=>i+(a=>{if(a._$cssResult$===!0)return a.cssText;if(typeof a=="number")return a;throw Error("Value passed to 'css' function must be a 'css' function result: "+a+". Use 'unsafeCSS' to pass non-literal values, but take care to ensure page security.")})(r)+e[n+1],e[0]);return new je(s,e,Xt)},gs=(e,t)=>{if(Yt)e.adoptedStyleSheets=t.map(s=>s instanceof CSSStyleSheet?s:s.styleSheet);else for(const s of t){const i=document.createElement("style"),r=mt.litNonce;r!==void 0&&i.setAttribute("nonce",r),i.textContent=s.cssText,e.appendChild(i)}},ge=Yt?e=>e:e=>e instanceof CSSStyleSheet?(t=>{let s="";for(const i of t.cssRules)s+=i.cssText;return fs(s)})(e):e;/**
 * @license
 * Copyright 2017 Google LLC
 * SPDX-License-Identifier: BSD-3-Clause
 */const{is:vs,defineProperty:ms,getOwnPropertyDescriptor:bs,getOwnPropertyNames:ys,getOwnPropertySymbols:$s,getPrototypeOf:ws}=Object,At=globalThis,ve=At.trustedTypes,_s=ve?ve.emptyScript:"",xs=At.reactiveElementPolyfillSupport,rt=(e,t)=>e,bt={toAttribute(e,t){switch(t){case Boolean:e=e?_s:null;break;case Object:case Array:e=e==null?e:JSON.stringify(e)}return e},fromAttribute(e,t){let s=e;switch(t){case Boolean:s=e!==null;break;case Number:s=e===null?null:Number(e);break;case Object:case Array:try{s=JSON.parse(e)}catch{s=null}}return s}},Qt=(e,t)=>!vs(e,t),me={attribute:!0,type:String,converter:bt,reflect:!1,useDefault:!1,hasChanged:Qt};Symbol.metadata??=Symbol("metadata"),At.litPropertyMetadata??=new WeakMap;let K=class extends HTMLElement{static addInitializer(t){this._$Ei(),(this.l??=[]).push(t)}static get observedAttributes(){return this.finalize(),this._$Eh&&[...this._$Eh.keys()]}static createProperty(t,s=me){if(s.state&&(s.attribute=!1),this._$Ei(),this.prototype.hasOwnProperty(t)&&((s=Object.create(s)).wrapped=!0),this.elementProperties.set(t,s),!s.noAccessor){const i=Symbol(),r=this.getPropertyDescriptor(t,i,s);r!==void 0&&ms(this.prototype,t,r)}}static getPropertyDescriptor(t,s,i){const{get:r,set:n}=bs(this.prototype,t)??{get(){return this[s]},set(a){this[s]=a}};return{get:r,set(a){const o=r?.call(this);n?.call(this,a),this.requestUpdate(t,o,i)},configurable:!0,enumerable:!0}}static getPropertyOptions(t){return this.elementProperties.get(t)??me}static _$Ei(){if(this.hasOwnProperty(rt("elementProperties")))return;const t=ws(this);t.finalize(),t.l!==void 0&&(this.l=[...t.l]),this.elementProperties=new Map(t.elementProperties)}static finalize(){if(this.hasOwnProperty(rt("finalized")))return;if(this.finalized=!0,this._$Ei(),this.hasOwnProperty(rt("properties"))){const s=this.properties,i=[...ys(s),...$s(s)];for(const r of i)this.createProperty(r,s[r])}const t=this[Symbol.metadata];if(t!==null){const s=litPropertyMetadata.get(t);if(s!==void 0)for(const[i,r]of s)this.elementProperties.set(i,r)}this._$Eh=new Map;for(const[s,i]of this.elementProperties){const r=this._$Eu(s,i);r!==void 0&&this._$Eh.set(r,s)}this.elementStyles=this.finalizeStyles(this.styles)}static finalizeStyles(t){const s=[];if(Array.isArray(t)){const i=new Set(t.flat(1/0).reverse());for(const r of i)s.unshift(ge(r))}else t!==void 0&&s.push(ge(t));return s}static _$Eu(t,s){const i=s.attribute;return i===!1?void 0:typeof i=="string"?i:typeof t=="string"?t.toLowerCase():void 0}constructor(){super(),this._$Ep=void 0,this.isUpdatePending=!1,this.hasUpdated=!1,this._$Em=null,this._$Ev()}_$Ev(){this._$ES=new Promise(t=>this.enableUpdating=t),this._$AL=new Map,this._$E_(),this.requestUpdate(),this.constructor.l?.forEach(t=>t(this))}addController(t){(this._$EO??=new Set).add(t),this.renderRoot!==void 0&&this.isConnected&&t.hostConnected?.()}removeController(t){this._$EO?.delete(t)}_$E_(){const t=new Map,s=this.constructor.elementProperties;for(const i of s.keys())this.hasOwnProperty(i)&&(t.set(i,this[i]),delete this[i]);t.size>0&&(this._$Ep=t)}createRenderRoot(){const t=this.shadowRoot??this.attachShadow(this.constructor.shadowRootOptions);return gs(t,this.constructor.elementStyles),t}connectedCallback(){this.renderRoot??=this.createRenderRoot(),this.enableUpdating(!0),this._$EO?.forEach(t=>t.hostConnected?.())}enableUpdating(t){}disconnectedCallback(){this._$EO?.forEach(t=>t.hostDisconnected?.())}attributeChangedCallback(t,s,i){this._$AK(t,i)}_$ET(t,s){const i=this.constructor.elementProperties.get(t),r=this.constructor._$Eu(t,i);if(r!==void 0&&i.reflect===!0){const n=(i.converter?.toAttribute!==void 0?i.converter:bt).toAttribute(s,i.type);this._$Em=t,n==null?this.removeAttribute(r):this.setAttribute(r,n),this._$Em=null}}_$AK(t,s){const i=this.constructor,r=i._$Eh.get(t);if(r!==void 0&&this._$Em!==r){const n=i.getPropertyOptions(r),a=typeof n.converter=="function"?{fromAttribute:n.converter}:n.converter?.fromAttribute!==void 0?n.converter:bt;this._$Em=r;const o=a.fromAttribute(s,n.type);this[r]=o??this._$Ej?.get(r)??o,this._$Em=null}}requestUpdate(t,s,i,r=!1,n){if(t!==void 0){const a=this.constructor;if(r===!1&&(n=this[t]),i??=a.getPropertyOptions(t),!((i.hasChanged??Qt)(n,s)||i.useDefault&&i.reflect&&n===this._$Ej?.get(t)&&!this.hasAttribute(a._$Eu(t,i))))return;this.C(t,s,i)}this.isUpdatePending===!1&&(this._$ES=this._$EP())}C(t,s,{useDefault:i,reflect:r,wrapped:n},a){i&&!(this._$Ej??=new Map).has(t)&&(this._$Ej.set(t,a??s??this[t]),n!==!0||a!==void 0)||(this._$AL.has(t)||(this.hasUpdated||i||(s=void 0),this._$AL.set(t,s)),r===!0&&this._$Em!==t&&(this._$Eq??=new Set).add(t))}async _$EP(){this.isUpdatePending=!0;try{await this._$ES}catch(s){Promise.reject(s)}const t=this.scheduleUpdate();return t!=null&&await t,!this.isUpdatePending}scheduleUpdate(){return this.performUpdate()}performUpdate(){if(!this.isUpdatePending)return;if(!this.hasUpdated){if(this.renderRoot??=this.createRenderRoot(),this._$Ep){for(const[r,n]of this._$Ep)this[r]=n;this._$Ep=void 0}const i=this.constructor.elementProperties;if(i.size>0)for(const[r,n]of i){const{wrapped:a}=n,o=this[r];a!==!0||this._$AL.has(r)||o===void 0||this.C(r,void 0,n,o)}}let t=!1;const s=this._$AL;try{t=this.shouldUpdate(s),t?(this.willUpdate(s),this._$EO?.forEach(i=>i.hostUpdate?.()),this.update(s)):this._$EM()}catch(i){throw t=!1,this._$EM(),i}t&&this._$AE(s)}willUpdate(t){}_$AE(t){this._$EO?.forEach(s=>s.hostUpdated?.()),this.hasUpdated||(this.hasUpdated=!0,this.firstUpdated(t)),this.updated(t)}_$EM(){this._$AL=new Map,this.isUpdatePending=!1}get updateComplete(){return this.getUpdateComplete()}getUpdateComplete(){return this._$ES}shouldUpdate(t){return!0}update(t){this._$Eq&&=this._$Eq.forEach(s=>this._$ET(s,this[s])),this._$EM()}updated(t){}firstUpdated(t){}};K.elementStyles=[],K.shadowRootOptions={mode:"open"},K[rt("elementProperties")]=new Map,K[rt("finalized")]=new Map,xs?.({ReactiveElement:K}),(At.reactiveElementVersions??=[]).push("2.1.2");/**
 * @license
 * Copyright 2017 Google LLC
 * SPDX-License-Identifier: BSD-3-Clause
 */const Zt=globalThis,be=e=>e,yt=Zt.trustedTypes,ye=yt?yt.createPolicy("lit-html",{createHTML:e=>e}):void 0,ze="$lit$",L=`lit$${Math.random().toFixed(9).slice(2)}$`,He="?"+L,Es=`<${He}>`,F=document,nt=()=>F.createComment(""),at=e=>e===null||typeof e!="object"&&typeof e!="function",te=Array.isArray,ks=e=>te(e)||typeof e?.[Symbol.iterator]=="function",Rt=`[ 	
\f\r]`,et=/<(?:(!--|\/[^a-zA-Z])|(\/?[a-zA-Z][^>\s]*)|(\/?$))/g,$e=/-->/g,we=/>/g,j=RegExp(`>|${Rt}(?:([^\\s"'>=/]+)(${Rt}*=${Rt}*(?:[^ 	
\f\r"'\`<>=]|("|')|))|$)`,"g"),_e=/'/g,xe=/"/g,Fe=/^(?:script|style|textarea|title)$/i,Be=e=>(t,...s)=>({_$litType$:e,strings:t,values:s}),h=Be(1),st=Be(2),B=Symbol.for("lit-noChange"),p=Symbol.for("lit-nothing"),Ee=new WeakMap,H=F.createTreeWalker(F,129);function qe(e,t){if(!te(e)||!e.hasOwnProperty("raw"))throw Error("invalid template strings array");return ye!==void 0?ye.createHTML(t):t}const As=(e,t)=>{const s=e.length-1,i=[];let r,n=t===2?"<svg>":t===3?"<math>":"",a=et;for(let o=0;o<s;o++){const l=e[o];let d,f,c=-1,u=0;for(;u<l.length&&(a.lastIndex=u,f=a.exec(l),f!==null);)u=a.lastIndex,a===et?f[1]==="!--"?a=$e:f[1]!==void 0?a=we:f[2]!==void 0?(Fe.test(f[2])&&(r=RegExp("</"+f[2],"g")),a=j):f[3]!==void 0&&(a=j):a===j?f[0]===">"?(a=r??et,c=-1):f[1]===void 0?c=-2:(c=a.lastIndex-f[2].length,d=f[1],a=f[3]===void 0?j:f[3]==='"'?xe:_e):a===xe||a===_e?a=j:a===$e||a===we?a=et:(a=j,r=void 0);const g=a===j&&e[o+1].startsWith("/>")?" ":"";n+=a===et?l+Es:c>=0?(i.push(d),l.slice(0,c)+ze+l.slice(c)+L+g):l+L+(c===-2?o:g)}return[qe(e,n+(e[s]||"<?>")+(t===2?"</svg>":t===3?"</math>":"")),i]};class ot{constructor({strings:t,_$litType$:s},i){let r;this.parts=[];let n=0,a=0;const o=t.length-1,l=this.parts,[d,f]=As(t,s);if(this.el=ot.createElement(d,i),H.currentNode=this.el.content,s===2||s===3){const c=this.el.content.firstChild;c.replaceWith(...c.childNodes)}for(;(r=H.nextNode())!==null&&l.length<o;){if(r.nodeType===1){if(r.hasAttributes())for(const c of r.getAttributeNames())if(c.endsWith(ze)){const u=f[a++],g=r.getAttribute(c).split(L),b=/([.?@])?(.*)/.exec(u);l.push({type:1,index:n,name:b[2],strings:g,ctor:b[1]==="."?Ps:b[1]==="?"?Os:b[1]==="@"?Cs:St}),r.removeAttribute(c)}else c.startsWith(L)&&(l.push({type:6,index:n}),r.removeAttribute(c));if(Fe.test(r.tagName)){const c=r.textContent.split(L),u=c.length-1;if(u>0){r.textContent=yt?yt.emptyScript:"";for(let g=0;g<u;g++)r.append(c[g],nt()),H.nextNode(),l.push({type:2,index:++n});r.append(c[u],nt())}}}else if(r.nodeType===8)if(r.data===He)l.push({type:2,index:n});else{let c=-1;for(;(c=r.data.indexOf(L,c+1))!==-1;)l.push({type:7,index:n}),c+=L.length-1}n++}}static createElement(t,s){const i=F.createElement("template");return i.innerHTML=t,i}}function J(e,t,s=e,i){if(t===B)return t;let r=i!==void 0?s._$Co?.[i]:s._$Cl;const n=at(t)?void 0:t._$litDirective$;return r?.constructor!==n&&(r?._$AO?.(!1),n===void 0?r=void 0:(r=new n(e),r._$AT(e,s,i)),i!==void 0?(s._$Co??=[])[i]=r:s._$Cl=r),r!==void 0&&(t=J(e,r._$AS(e,t.values),r,i)),t}class Ss{constructor(t,s){this._$AV=[],this._$AN=void 0,this._$AD=t,this._$AM=s}get parentNode(){return this._$AM.parentNode}get _$AU(){return this._$AM._$AU}u(t){const{el:{content:s},parts:i}=this._$AD,r=(t?.creationScope??F).importNode(s,!0);H.currentNode=r;let n=H.nextNode(),a=0,o=0,l=i[0];for(;l!==void 0;){if(a===l.index){let d;l.type===2?d=new Q(n,n.nextSibling,this,t):l.type===1?d=new l.ctor(n,l.name,l.strings,this,t):l.type===6&&(d=new Ts(n,this,t)),this._$AV.push(d),l=i[++o]}a!==l?.index&&(n=H.nextNode(),a++)}return H.currentNode=F,r}p(t){let s=0;for(const i of this._$AV)i!==void 0&&(i.strings!==void 0?(i._$AI(t,i,s),s+=i.strings.length-2):i._$AI(t[s])),s++}}class Q{get _$AU(){return this._$AM?._$AU??this._$Cv}constructor(t,s,i,r){this.type=2,this._$AH=p,this._$AN=void 0,this._$AA=t,this._$AB=s,this._$AM=i,this.options=r,this._$Cv=r?.isConnected??!0}get parentNode(){let t=this._$AA.parentNode;const s=this._$AM;return s!==void 0&&t?.nodeType===11&&(t=s.parentNode),t}get startNode(){return this._$AA}get endNode(){return this._$AB}_$AI(t,s=this){t=J(this,t,s),at(t)?t===p||t==null||t===""?(this._$AH!==p&&this._$AR(),this._$AH=p):t!==this._$AH&&t!==B&&this._(t):t._$litType$!==void 0?this.$(t):t.nodeType!==void 0?this.T(t):ks(t)?this.k(t):this._(t)}O(t){return this._$AA.parentNode.insertBefore(t,this._$AB)}T(t){this._$AH!==t&&(this._$AR(),this._$AH=this.O(t))}_(t){this._$AH!==p&&at(this._$AH)?this._$AA.nextSibling.data=t:this.T(F.createTextNode(t)),this._$AH=t}$(t){const{values:s,_$litType$:i}=t,r=typeof i=="number"?this._$AC(t):(i.el===void 0&&(i.el=ot.createElement(qe(i.h,i.h[0]),this.options)),i);if(this._$AH?._$AD===r)this._$AH.p(s);else{const n=new Ss(r,this),a=n.u(this.options);n.p(s),this.T(a),this._$AH=n}}_$AC(t){let s=Ee.get(t.strings);return s===void 0&&Ee.set(t.strings,s=new ot(t)),s}k(t){te(this._$AH)||(this._$AH=[],this._$AR());const s=this._$AH;let i,r=0;for(const n of t)r===s.length?s.push(i=new Q(this.O(nt()),this.O(nt()),this,this.options)):i=s[r],i._$AI(n),r++;r<s.length&&(this._$AR(i&&i._$AB.nextSibling,r),s.length=r)}_$AR(t=this._$AA.nextSibling,s){for(this._$AP?.(!1,!0,s);t!==this._$AB;){const i=be(t).nextSibling;be(t).remove(),t=i}}setConnected(t){this._$AM===void 0&&(this._$Cv=t,this._$AP?.(t))}}class St{get tagName(){return this.element.tagName}get _$AU(){return this._$AM._$AU}constructor(t,s,i,r,n){this.type=1,this._$AH=p,this._$AN=void 0,this.element=t,this.name=s,this._$AM=r,this.options=n,i.length>2||i[0]!==""||i[1]!==""?(this._$AH=Array(i.length-1).fill(new String),this.strings=i):this._$AH=p}_$AI(t,s=this,i,r){const n=this.strings;let a=!1;if(n===void 0)t=J(this,t,s,0),a=!at(t)||t!==this._$AH&&t!==B,a&&(this._$AH=t);else{const o=t;let l,d;for(t=n[0],l=0;l<n.length-1;l++)d=J(this,o[i+l],s,l),d===B&&(d=this._$AH[l]),a||=!at(d)||d!==this._$AH[l],d===p?t=p:t!==p&&(t+=(d??"")+n[l+1]),this._$AH[l]=d}a&&!r&&this.j(t)}j(t){t===p?this.element.removeAttribute(this.name):this.element.setAttribute(this.name,t??"")}}class Ps extends St{constructor(){super(...arguments),this.type=3}j(t){this.element[this.name]=t===p?void 0:t}}class Os extends St{constructor(){super(...arguments),this.type=4}j(t){this.element.toggleAttribute(this.name,!!t&&t!==p)}}class Cs extends St{constructor(t,s,i,r,n){super(t,s,i,r,n),this.type=5}_$AI(t,s=this){if((t=J(this,t,s,0)??p)===B)return;const i=this._$AH,r=t===p&&i!==p||t.capture!==i.capture||t.once!==i.once||t.passive!==i.passive,n=t!==p&&(i===p||r);r&&this.element.removeEventListener(this.name,this,i),n&&this.element.addEventListener(this.name,this,t),this._$AH=t}handleEvent(t){typeof this._$AH=="function"?this._$AH.call(this.options?.host??this.element,t):this._$AH.handleEvent(t)}}class Ts{constructor(t,s,i){this.element=t,this.type=6,this._$AN=void 0,this._$AM=s,this.options=i}get _$AU(){return this._$AM._$AU}_$AI(t){J(this,t)}}const Ns={I:Q},Ds=Zt.litHtmlPolyfillSupport;Ds?.(ot,Q),(Zt.litHtmlVersions??=[]).push("3.3.3");const Ms=(e,t,s)=>{const i=s?.renderBefore??t;let r=i._$litPart$;if(r===void 0){const n=s?.renderBefore??null;i._$litPart$=r=new Q(t.insertBefore(nt(),n),n,void 0,s??{})}return r._$AI(e),r};/**
 * @license
 * Copyright 2017 Google LLC
 * SPDX-License-Identifier: BSD-3-Clause
 */const ee=globalThis;let $=class extends K{constructor(){super(...arguments),this.renderOptions={host:this},this._$Do=void 0}createRenderRoot(){const t=super.createRenderRoot();return this.renderOptions.renderBefore??=t.firstChild,t}update(t){const s=this.render();this.hasUpdated||(this.renderOptions.isConnected=this.isConnected),super.update(t),this._$Do=Ms(s,this.renderRoot,this.renderOptions)}connectedCallback(){super.connectedCallback(),this._$Do?.setConnected(!0)}disconnectedCallback(){super.disconnectedCallback(),this._$Do?.setConnected(!1)}render(){return B}};$._$litElement$=!0,$.finalized=!0,ee.litElementHydrateSupport?.({LitElement:$});const Is=ee.litElementPolyfillSupport;Is?.({LitElement:$});(ee.litElementVersions??=[]).push("4.2.2");/**
 * @license
 * Copyright 2017 Google LLC
 * SPDX-License-Identifier: BSD-3-Clause
 */const _=e=>(t,s)=>{s!==void 0?s.addInitializer(()=>{customElements.define(e,t)}):customElements.define(e,t)};/**
 * @license
 * Copyright 2017 Google LLC
 * SPDX-License-Identifier: BSD-3-Clause
 */const Rs={attribute:!0,type:String,converter:bt,reflect:!1,hasChanged:Qt},Ls=(e=Rs,t,s)=>{const{kind:i,metadata:r}=s;let n=globalThis.litPropertyMetadata.get(r);if(n===void 0&&globalThis.litPropertyMetadata.set(r,n=new Map),i==="setter"&&((e=Object.create(e)).wrapped=!0),n.set(s.name,e),i==="accessor"){const{name:a}=s;return{set(o){const l=t.get.call(this);t.set.call(this,o),this.requestUpdate(a,l,e,!0,o)},init(o){return o!==void 0&&this.C(a,void 0,e,o),o}}}if(i==="setter"){const{name:a}=s;return function(o){const l=this[a];t.call(this,o),this.requestUpdate(a,l,e,!0,o)}}throw Error("Unsupported decorator location: "+i)};function m(e){return(t,s)=>typeof s=="object"?Ls(e,t,s):((i,r,n)=>{const a=r.hasOwnProperty(n);return r.constructor.createProperty(n,i),a?Object.getOwnPropertyDescriptor(r,n):void 0})(e,t,s)}/**
 * @license
 * Copyright 2017 Google LLC
 * SPDX-License-Identifier: BSD-3-Clause
 */function k(e){return m({...e,state:!0,attribute:!1})}/**
 * @license
 * Copyright 2017 Google LLC
 * SPDX-License-Identifier: BSD-3-Clause
 */const Us=(e,t,s)=>(s.configurable=!0,s.enumerable=!0,Reflect.decorate&&typeof t!="object"&&Object.defineProperty(e,t,s),s);/**
 * @license
 * Copyright 2017 Google LLC
 * SPDX-License-Identifier: BSD-3-Clause
 */function Z(e,t){return(s,i,r)=>{const n=a=>a.renderRoot?.querySelector(e)??null;return Us(s,i,{get(){return n(this)}})}}class js{constructor(){this.known=[location.origin],this.at=0,this.left=new Map}get current(){return this.known[this.at]??location.origin}get all(){return this.known}learn(t){const s=this.current,i=t.map(zs).filter(r=>r!==null);this.known=[...new Set([s,...i,location.origin])],this.at=0}leave(t){this.current===t&&(this.at=(this.at+1)%this.known.length),this.left.get(t)?.abort(),this.left.delete(t)}leaving(t){let s=this.left.get(t);return s||this.left.set(t,s=new AbortController),s.signal}}function zs(e){try{const t=new URL(e).origin;return location.protocol==="https:"&&t.startsWith("http:")?null:t}catch{return null}}const D=new js,Ve="unexpected";class P extends Error{constructor(t,s,i,r,n={}){super(r||i),this.name="Problem",this.status=t,this.code=s,this.title=i,this.members=n}static async of(t){const s=await t.text().catch(()=>"");try{const i=JSON.parse(s);if(i&&typeof i=="object"&&typeof i.code=="string")return new P(t.status,i.code,String(i.title??""),String(i.detail??""),i)}catch{}return new P(t.status,Ve,`The answer was ${t.status}`,s.slice(0,200))}}class Lt extends Error{constructor(t,s=null){super(t),this.name="Unreachable",this.key=s}}function q(e){return e instanceof P?`${e.title}${e.message&&e.message!==e.title?`: ${e.message}`:""}`:e instanceof Error?e.message:String(e)}const Vt="triarch.token";function Wt(){return sessionStorage.getItem(Vt)}function Ut(e){e===null?sessionStorage.removeItem(Vt):sessionStorage.setItem(Vt,e)}function lt(e={},t=Wt()){return t===null?e:{...e,Authorization:`Bearer ${t}`}}const Hs=6e3,Fs=8e3,Bs=2e4,qs=250;function se(e,t={}){const s=new URLSearchParams;for(const[r,n]of Object.entries(t))if(!(n==null||n===""))for(const a of Array.isArray(n)?n:[n])s.append(r,String(a));const i=s.toString();return i?`${e}?${i}`:e}function Vs(){return[...crypto.getRandomValues(new Uint8Array(16))].map(e=>e.toString(16).padStart(2,"0")).join("")}const We=new Set;function Ws(e){We.add(e)}async function Pt(e,t,s={}){const i=e!=="GET",r=i?s.key??Vs():null,n=performance.now()+(i?Bs:Fs);let a=!1,o=new Lt("no node was asked");for(;;){const l=D.current,d=n-performance.now();if(d<=0)break;let f=qs;try{const c=await Gs(l,se(t,s.params),e,s,r,Math.min(Hs,d));if(c.ok)return{body:await Js(c),headers:c.headers,status:c.status};const u=await P.of(c);if(!Ks(u))throw u.status===401&&s.token===void 0&&We.forEach(b=>b(u)),u;o=u,a||=i&&(u.code==="outcome_unknown"||u.code==="read_timed_out"||Kt(u));const g=Number(c.headers.get("Retry-After"));g>0&&(f=Math.min(g,2)*1e3),(u.code==="node_stopped"||u.code==="not_ready"||Kt(u))&&D.leave(l)}catch(c){if(c instanceof P||s.signal?.aborted)throw c;a||=i,o=new Lt(`${l} does not answer`,r),D.leave(l)}await new Promise(c=>setTimeout(c,f))}throw i&&a?new Lt("Whether it was done is not known: no node answered in time. Look before you repeat it.",r):o}function Ks(e){return e.status===503||e.status===429||e.code==="outcome_unknown"||e.code==="key_in_flight"||Kt(e)}function Kt(e){return e.code===Ve&&(e.status===502||e.status===504)}async function Gs(e,t,s,i,r,n){const a={Accept:"application/json",...i.headers};r!==null&&(a["Idempotency-Key"]=r);let o;i.body!==void 0&&(a["Content-Type"]=i.type??"application/json",o=i.type?String(i.body):JSON.stringify(i.body));const l=[AbortSignal.timeout(n),D.leaving(e)];return fetch(e+t,{method:s,headers:i.token===void 0?lt(a):lt(a,i.token),body:o,signal:AbortSignal.any(i.signal?[i.signal,...l]:l),cache:"no-store",credentials:"omit",redirect:"error"})}async function Js(e){return e.status===204?void 0:(e.headers.get("Content-Type")??"").includes("json")?await e.json():await e.text()}async function ke(e,t,s={}){return(await Pt("GET",e,{...s,params:t})).body}async function fr(e,t,s={}){return(await Pt("POST",e,{...s,body:t})).body}async function gr(e,t,s={}){return(await Pt("PUT",e,{...s,body:t})).body}async function vr(e,t={}){return(await Pt("DELETE",e,t)).body}async function mr(e,t,s){const i=D.current,r=await fetch(i+se(e,t),{headers:lt(),cache:"no-store",credentials:"omit",signal:s});if(r.status===404)return null;if(!r.ok)throw await P.of(r);return{url:URL.createObjectURL(await r.blob()),headers:r.headers}}const Ys=8<<20;class Xs{constructor(){this.rest="",this.id=null,this.event="",this.data=[]}feed(t){const s=[];this.rest+=t;let i=0;for(;;){const r=this.rest.indexOf(`
`,i);if(r<0)break;const n=this.rest.slice(i,this.rest[r-1]==="\r"&&r>i?r-1:r);i=r+1;const a=this.line(n);a&&s.push(a)}if(this.rest=this.rest.slice(i),this.rest.length>Ys)throw new Error("a line of the stream has no end");return s}line(t){if(t===""){const n=this.data.length>0?{id:this.id,event:this.event||"message",data:this.data.join(`
`)}:null;return this.event="",this.data=[],n}if(t.startsWith(":"))return null;const s=t.indexOf(":"),i=s<0?t:t.slice(0,s),r=s<0?"":t.slice(t[s+1]===" "?s+2:s+1);return i==="id"?this.id=r:i==="event"?this.event=r:i==="data"&&this.data.push(r),null}}async function*Qs(e,t){if(!e.body)return;const s=e.body.pipeThrough(new TextDecoderStream).getReader(),i=new Xs;try{for(;;){const{done:r,value:n}=await s.read();if(r)return;t(null),yield*i.feed(n),t(i.id)}}finally{s.cancel().catch(()=>{})}}const Zs=2200,ti=1200,ei=5e3,jt=100,si=1e3;class ii{constructor(){this.stopping=null,this.after=null,this.failures=0,this.onReady=()=>{}}start(t,s){this.stop();const i=this.stopping=new AbortController;this.after=null,this.failures=0,this.onReady=s,this.run(t,i.signal)}stop(){this.stopping?.abort(),this.stopping=null}async run(t,s){for(v.relink({state:"connecting",reason:""});!s.aborted;){const i=D.current;let r=`${i} ended the stream`;try{this.after===null&&await this.snapshot(i,s),await this.watch(i,s)}catch(a){if(s.aborted)return;if(a instanceof Ae){this.after=null,await new Promise(o=>setTimeout(o,jt));continue}if(a instanceof P){if(r=`${i}: ${a.title}`,a.status===401||a.status===403)return t(a);if(a.code==="compacted"||a.code==="invalid_cursor"){this.after=null,await new Promise(o=>setTimeout(o,jt));continue}}else r=a instanceof vt?`${i} is silent`:`${i} does not answer`}if(s.aborted)return;v.link.state==="live"&&Gt("lost"),v.relink({state:v.loaded?"lost":"connecting",reason:r}),D.leave(i),this.failures+=1;const n=Math.floor(this.failures/D.all.length);n>0&&await new Promise(a=>setTimeout(a,Math.min(jt*2**n,si)))}}async snapshot(t,s){const i=AbortSignal.any([s,AbortSignal.timeout(ei)]),r=await fetch(`${t}/v1/snapshot`,{headers:lt(),signal:i,cache:"no-store",credentials:"omit"});if(!r.ok)throw await P.of(r);const n=await r.json();this.after=n.index,v.replace(n.index,n.subjects),Se()}async watch(t,s){const i=new AbortController,r=setTimeout(()=>i.abort(new vt),ti);let n=performance.now();const a=setInterval(()=>{performance.now()-n>Zs&&i.abort(new vt)},200);try{const o=t+se("/v1/watch",{after:this.after}),l=await fetch(o,{headers:lt({Accept:"text/event-stream"}),signal:AbortSignal.any([s,i.signal]),cache:"no-store",credentials:"omit"});if(!l.ok)throw await P.of(l);clearTimeout(r);const d=f=>{n=v.link.heardAt=performance.now(),f!==null&&/^\d+$/.test(f)&&(this.after=Math.max(this.after??0,Number(f)))};for await(const f of Qs(l,d))this.take(t,f)}catch(o){throw i.signal.aborted&&!(o instanceof P)?new vt:o}finally{clearTimeout(r),clearInterval(a),i.abort()}}take(t,s){if(s.event==="ready"){const i=JSON.parse(s.data);this.failures=0;const{node:r,leader:n,epoch:a}=i;v.relink({state:"live",origin:t,node:r,leader:n,epoch:a,reason:"",figuresAt:performance.now(),staleness:null}),Gt("live"),Oe(n),this.onReady(t)}else if(s.event==="lost"){const{reason:i}=JSON.parse(s.data);if(i==="compacted"||i==="restored")throw new Ae}else if(s.event==="change"){const i=JSON.parse(s.data);v.change(i.index,i.changes),i.changes.some(r=>r.subject==="cluster")&&Se()}else if(s.event==="figures"){const i=JSON.parse(s.data);v.tell(i),Oe(i.leader)}}}class vt extends Error{}class Ae extends Error{}function Se(){D.learn(v.members().map(e=>e.api))}let Pe=null;function Oe(e){e===null||e===Pe||(Pe=e,Gt("leader"))}function Gt(e){performance.clearMarks(`triarch:${e}`),performance.mark(`triarch:${e}`)}const Ce=new ii;class ri{constructor(){this.who=null,this.refusal="",this.state="asking",this.rights=new Map,this.rightsOf=""}async begin(){Ws(t=>this.end(t.message)),await this.enter(Wt(),Wt()!==null)}async signIn(t){await this.enter(t.trim(),!0,!0)}end(t=""){this.state!=="signed-out"&&(Ce.stop(),Ut(null),this.who=null,this.state="signed-out",this.refusal=t,v.forget(),v.relink({state:"signed-out"}),v.touch("session"))}denied(t,s){const i=this.rights.get(Te(t,s));return this.who?i?i.includes(this.who.role)?"":`Your role is ${this.who.role}; this needs ${i.filter(r=>r!=="component"&&r!=="processor").join(" or ")}.`:"The node that told your rights does not know this.":""}may(t,s){return this.denied(t,s)===""}async enter(t,s,i=!1){try{this.who=await ke("/v1/whoami",{consistency:"stale"},{token:t})}catch(r){if(i)throw r;const n=r instanceof P&&r.status===401;this.state=n?"signed-out":"unreachable",this.refusal=n?s?q(r):"":q(r),n&&Ut(null),v.relink({state:n?"signed-out":"connecting"}),v.touch("session"),n||setTimeout(()=>void this.enter(t,s),1e3);return}Ut(t),await this.learn(),this.state="signed-in",this.refusal="",v.touch("session"),Ce.start(r=>this.end(r.message),r=>void this.servedBy(r))}async learn(){const t=D.current,s=await ke("/v1/rights",{consistency:"stale"});this.rights=new Map(s.map(i=>[Te(i.method,i.path),i.roles])),this.rightsOf=t}async servedBy(t){t!==this.rightsOf&&(await this.learn().catch(()=>{}),v.touch("session"))}}function Te(e,t){return`${e} ${t.replace(/\{[^}]*\}/g,"{}")}`}const y=new ri,S=w`
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
 */const ni={CHILD:2},ai=e=>(...t)=>({_$litDirective$:e,values:t});let oi=class{constructor(t){}get _$AU(){return this._$AM._$AU}_$AT(t,s,i){this._$Ct=t,this._$AM=s,this._$Ci=i}_$AS(t,s){return this.update(t,s)}update(t,s){return this.render(...s)}};/**
 * @license
 * Copyright 2020 Google LLC
 * SPDX-License-Identifier: BSD-3-Clause
 */const{I:li}=Ns,Ne=e=>e,De=()=>document.createComment(""),it=(e,t,s)=>{const i=e._$AA.parentNode,r=t===void 0?e._$AB:t._$AA;if(s===void 0){const n=i.insertBefore(De(),r),a=i.insertBefore(De(),r);s=new li(n,a,e,e.options)}else{const n=s._$AB.nextSibling,a=s._$AM,o=a!==e;if(o){let l;s._$AQ?.(e),s._$AM=e,s._$AP!==void 0&&(l=e._$AU)!==a._$AU&&s._$AP(l)}if(n!==r||o){let l=s._$AA;for(;l!==n;){const d=Ne(l).nextSibling;Ne(i).insertBefore(l,r),l=d}}}return s},z=(e,t,s=e)=>(e._$AI(t,s),e),ci={},di=(e,t=ci)=>e._$AH=t,hi=e=>e._$AH,zt=e=>{e._$AR(),e._$AA.remove()};/**
 * @license
 * Copyright 2017 Google LLC
 * SPDX-License-Identifier: BSD-3-Clause
 */const Me=(e,t,s)=>{const i=new Map;for(let r=t;r<=s;r++)i.set(e[r],r);return i},Ke=ai(class extends oi{constructor(e){if(super(e),e.type!==ni.CHILD)throw Error("repeat() can only be used in text expressions")}dt(e,t,s){let i;s===void 0?s=t:t!==void 0&&(i=t);const r=[],n=[];let a=0;for(const o of e)r[a]=i?i(o,a):a,n[a]=s(o,a),a++;return{values:n,keys:r}}render(e,t,s){return this.dt(e,t,s).values}update(e,[t,s,i]){const r=hi(e),{values:n,keys:a}=this.dt(t,s,i);if(!Array.isArray(r))return this.ut=a,n;const o=this.ut??=[],l=[];let d,f,c=0,u=r.length-1,g=0,b=n.length-1;for(;c<=u&&g<=b;)if(r[c]===null)c++;else if(r[u]===null)u--;else if(o[c]===a[g])l[g]=z(r[c],n[g]),c++,g++;else if(o[u]===a[b])l[b]=z(r[u],n[b]),u--,b--;else if(o[c]===a[b])l[b]=z(r[c],n[b]),it(e,l[b+1],r[c]),c++,b--;else if(o[u]===a[g])l[g]=z(r[u],n[g]),it(e,r[c],r[u]),u--,g++;else if(d===void 0&&(d=Me(a,g,b),f=Me(o,c,u)),d.has(o[c]))if(d.has(o[u])){const M=f.get(a[g]),Ct=M!==void 0?r[M]:null;if(Ct===null){const ce=it(e,r[c]);z(ce,n[g]),l[g]=ce}else l[g]=z(Ct,n[g]),it(e,r[c],Ct),r[M]=null;g++}else zt(r[u]),u--;else zt(r[c]),c++;for(;g<=b;){const M=it(e,l[b+1]);z(M,n[g]),l[g++]=M}for(;c<=u;){const M=r[c++];M!==null&&zt(M)}return this.ut=a,di(e,l),B}});var ui=Object.defineProperty,pi=Object.getOwnPropertyDescriptor,Ge=(e,t,s,i)=>{for(var r=i>1?void 0:i?pi(t,s):t,n=e.length-1,a;n>=0;n--)(a=e[n])&&(r=(i?a(t,s,r):a(r))||r);return i&&r&&ui(t,s,r),r};const fi=7e3;let ct=class extends ${constructor(){super(...arguments),this.notes=[],this.count=0}show(e,t=!1){const s={id:++this.count,text:e,bad:t};this.notes=[...this.notes,s].slice(-4),t||setTimeout(()=>this.close(s.id),fi)}close(e){this.notes=this.notes.filter(t=>t.id!==e)}render(){return h`<div role="status" aria-live="polite">
      ${Ke(this.notes,e=>e.id,e=>h`<div class="note ${e.bad?"bad":""}">
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
    `];Ge([k()],ct.prototype,"notes",2);ct=Ge([_("tri-toasts")],ct);let Ht=null;function gi(e,t=!1){Ht||document.body.append(Ht=new ct),Ht.show(e,t)}function vi(e,t=""){gi(t?`${t}: ${q(e)}`:q(e),!0)}var mi=Object.defineProperty,bi=Object.getOwnPropertyDescriptor,U=(e,t,s,i)=>{for(var r=i>1?void 0:i?bi(t,s):t,n=e.length-1,a;n>=0;n--)(a=e[n])&&(r=(i?a(t,s,r):a(r))||r);return i&&r&&mi(t,s,r),r};let C=class extends ${constructor(){super(...arguments),this.method="POST",this.path="",this.kind="",this.hinder="",this.label="",this.run=null,this.busy=!1,this.live=new X(this,["session","link"])}get denied(){if(this.path){const e=y.denied(this.method,this.path);if(e)return e}return this.hinder?this.hinder:v.link.state==="lost"?"Not connected now.":""}async act(){if(!(this.denied||this.busy)){this.busy=!0;try{await this.run?.()}catch(e){vi(e)}finally{this.busy=!1}}}render(){const e=this.denied;return h`<button
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
    `];U([m()],C.prototype,"method",2);U([m()],C.prototype,"path",2);U([m()],C.prototype,"kind",2);U([m()],C.prototype,"hinder",2);U([m()],C.prototype,"label",2);U([m({attribute:!1})],C.prototype,"run",2);U([k()],C.prototype,"busy",2);C=U([_("tri-action")],C);var yi=Object.defineProperty,$i=Object.getOwnPropertyDescriptor,Ot=(e,t,s,i)=>{for(var r=i>1?void 0:i?$i(t,s):t,n=e.length-1,a;n>=0;n--)(a=e[n])&&(r=(i?a(t,s,r):a(r))||r);return i&&r&&yi(t,s,r),r};const wi={STARTED:"ok",ONLINE:"ok",OK:"ok",SUCCEEDED:"ok",HEALTHY:"ok",COMPLETED:"ok",CLOSED:"ok",DONE:"ok",INTACT:"ok",ACTIVE:"ok",LIVE:"ok",READY:"info",INITIALIZING:"info",INIT_COMPLETE:"info",STOPPING:"info",RUNNING:"info",LEADER:"info",INFO:"info",CANCELLING:"info",DEGRADED:"warn",PENDING:"warn",WARNING:"warn",PAUSED:"warn",WAITING:"warn",MIXED:"warn",HALF_OPEN:"warn",MAINTENANCE:"warn",SILENCED:"idle",DRAINING:"warn",UNKNOWN:"warn",FAULT:"bad",OFFLINE:"bad",UNRESPONSIVE:"bad",FIRING:"bad",FAILED:"bad",ERROR:"bad",CRITICAL:"bad",UNHEALTHY:"bad",OPEN:"bad",UNREACHABLE:"bad",REVOKED:"bad",EXPIRED:"bad"};function _i(e){return wi[e.toUpperCase()]??"idle"}const xi={ok:st`<circle cx="6" cy="6" r="5.5" fill="currentColor"/><path d="M3.4 6.2 5.2 8l3.4-3.8" fill="none" stroke="var(--surface)" stroke-width="1.5"/>`,warn:st`<path d="M6 .8 11.6 11H.4z" fill="currentColor"/><path d="M6 4.4v3.2M6 8.6v1.2" stroke="var(--surface)" stroke-width="1.4"/>`,bad:st`<path d="M3.6.6h4.8l3 3v4.8l-3 3H3.6l-3-3V3.6z" fill="currentColor"/><path d="m4 4 4 4m0-4L4 8" stroke="var(--surface)" stroke-width="1.5"/>`,info:st`<circle cx="6" cy="6" r="4.7" fill="none" stroke="currentColor" stroke-width="1.5"/><circle cx="6" cy="6" r="2.2" fill="currentColor"/>`,idle:st`<circle cx="6" cy="6" r="4.7" fill="none" stroke="currentColor" stroke-width="1.5"/>`};let Y=class extends ${constructor(){super(...arguments),this.state="",this.tone="",this.label=""}render(){const e=this.tone||_i(this.state);return h`<span class=${e}><svg viewBox="0 0 12 12" aria-hidden="true">${xi[e]}</svg>${this.label||this.state}</span>`}};Y.styles=w`
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
  `;Ot([m()],Y.prototype,"state",2);Ot([m()],Y.prototype,"tone",2);Ot([m()],Y.prototype,"label",2);Y=Ot([_("tri-badge")],Y);var Ei=Object.defineProperty,ki=Object.getOwnPropertyDescriptor,tt=(e,t,s,i)=>{for(var r=i>1?void 0:i?ki(t,s):t,n=e.length-1,a;n>=0;n--)(a=e[n])&&(r=(i?a(t,s,r):a(r))||r);return i&&r&&Ei(t,s,r),r};let I=class extends ${constructor(){super(...arguments),this.busy=!1,this.error=null,this.result=null}firstUpdated(){this.dialog.showModal()}async submit(e){if(e.preventDefault(),this.busy)return;const t={};new FormData(this.form).forEach((s,i)=>t[i]=String(s).trim()),this.busy=!0,this.error=null;try{await this.asked.run?.(t),this.result=t,this.dialog.close()}catch(s){this.error=s}finally{this.busy=!1}}render(){const{heading:e,text:t,action:s,danger:i,idle:r,reason:n,fields:a}=this.asked;return h`<dialog aria-labelledby="heading" @close=${()=>this.closed(this.result)}>
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
          <button type="submit" class=${i?"danger":"primary"} ?disabled=${this.busy||r}>${this.busy?"Working …":s}</button>
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
    `];tt([m({attribute:!1})],I.prototype,"asked",2);tt([k()],I.prototype,"busy",2);tt([k()],I.prototype,"error",2);tt([Z("dialog")],I.prototype,"dialog",2);tt([Z("form")],I.prototype,"form",2);I=tt([_("tri-dialog")],I);function yr(e){const t=Ai();return new Promise(s=>{const i=new I;i.asked=e,i.closed=r=>{i.remove(),t?.focus(),s(r)},document.body.append(i)})}function Ai(){let e=document.activeElement;for(;e?.shadowRoot?.activeElement;)e=e.shadowRoot.activeElement;return e instanceof HTMLElement?e:null}var Si=Object.defineProperty,Pi=Object.getOwnPropertyDescriptor,W=(e,t,s,i)=>{for(var r=i>1?void 0:i?Pi(t,s):t,n=e.length-1,a;n>=0;n--)(a=e[n])&&(r=(i?a(t,s,r):a(r))||r);return i&&r&&Si(t,s,r),r};const Je=w`
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
`;let $t=class extends ${constructor(){super(...arguments),this.heading="Nothing here"}render(){return h`<div><strong>${this.heading}</strong><span><slot></slot></span></div>`}};$t.styles=[S,Je];W([m()],$t.prototype,"heading",2);$t=W([_("tri-empty")],$t);let wt=class extends ${constructor(){super(...arguments),this.what=""}render(){return h`<div role="status"><i aria-hidden="true"></i><span>Loading${this.what?` ${this.what}`:""} …</span></div>`}};wt.styles=[S,Je,w`
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
    `];W([m({attribute:!1})],dt.prototype,"error",2);W([m({attribute:!1})],dt.prototype,"retry",2);dt=W([_("tri-error")],dt);var Oi=Object.defineProperty,Ci=Object.getOwnPropertyDescriptor,O=(e,t,s,i)=>{for(var r=i>1?void 0:i?Ci(t,s):t,n=e.length-1,a;n>=0;n--)(a=e[n])&&(r=(i?a(t,s,r):a(r))||r);return i&&r&&Oi(t,s,r),r};const Jt=34,Ie=8;let E=class extends ${constructor(){super(...arguments),this.label="",this.columns=[],this.rows=[],this.rowKey=e=>e.id,this.sort="",this.searchable=!1,this.empty="Nothing here",this.wanted="",this.from=0,this.height=600,this.shown=[],this.resized=new ResizeObserver(()=>this.look())}firstUpdated(){this.resized.observe(this.scroller),this.look()}disconnectedCallback(){super.disconnectedCallback(),this.resized.disconnect()}connectedCallback(){super.connectedCallback(),this.hasUpdated&&this.resized.observe(this.scroller)}willUpdate(e){["rows","columns","sort","wanted"].some(t=>e.has(t))&&(this.shown=this.ordered())}ordered(){const e=this.wanted.toLowerCase().split(/\s+/).filter(Boolean);let t=this.rows;e.length>0&&(t=t.filter(n=>{const a=this.columns.map(o=>String(o.value(n)??"")).join(" ").toLowerCase();return e.every(o=>a.includes(o))}));const s=this.sort.startsWith("-"),i=this.columns.find(n=>n.key===this.sort.replace(/^-/,""));if(!i)return t;const r=s?-1:1;return[...t].sort((n,a)=>r*Ti(i.value(n),i.value(a)))}look(){this.from=Math.floor(this.scroller.scrollTop/Jt),this.height=this.scroller.clientHeight}turn(e){this.sort=this.sort===e.key?`-${e.key}`:e.key}render(){const e=Math.max(0,Math.min(this.from,this.shown.length)-Ie),t=Math.min(this.shown.length,this.from+Math.ceil(this.height/Jt)+Ie),s=this.shown.slice(e,t);return h`${this.searchable?h`<div class="top">
            <input type="search" placeholder="Filter" aria-label="Filter ${this.label}" .value=${this.wanted} @input=${i=>this.wanted=i.target.value} />
            <span class="muted small num" role="status">${this.shown.length===this.rows.length?Nt(this.rows.length):`${Nt(this.shown.length)} of ${Nt(this.rows.length)}`}</span>
            <slot name="top"></slot>
          </div>`:p}
      <div class="scroll" tabindex="0" role="region" aria-label="${this.label}, rows" @scroll=${this.look}>
        <table aria-label=${this.label} aria-rowcount=${this.shown.length+1}>
          <thead>
            <tr>
              ${this.columns.map(i=>this.head(i))}
            </tr>
          </thead>
          <tbody>
            ${Le(e,this.columns.length)}
            ${Ke(s,this.rowKey,(i,r)=>h`<tr aria-rowindex=${e+r+2}>
                ${this.columns.map(n=>h`<td class=${Re(n)}>${n.cell?n.cell(i):n.value(i)??"–"}</td>`)}
              </tr>`)}
            ${Le(this.shown.length-t,this.columns.length)}
          </tbody>
        </table>
        ${this.shown.length===0?h`<tri-empty heading=${this.rows.length?"Nothing fits the filter":this.empty}></tri-empty>`:p}
      </div>`}head(e){const t=this.sort===e.key,s=this.sort===`-${e.key}`;return h`<th scope="col" class=${Re(e)} .style=${e.width?`width:${e.width}`:"min-width:0"} aria-sort=${t?"ascending":s?"descending":"none"}>
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
    `];O([m()],E.prototype,"label",2);O([m({attribute:!1})],E.prototype,"columns",2);O([m({attribute:!1})],E.prototype,"rows",2);O([m({attribute:!1})],E.prototype,"rowKey",2);O([m()],E.prototype,"sort",2);O([m({type:Boolean})],E.prototype,"searchable",2);O([m()],E.prototype,"empty",2);O([k()],E.prototype,"wanted",2);O([k()],E.prototype,"from",2);O([k()],E.prototype,"height",2);O([Z(".scroll")],E.prototype,"scroller",2);E=O([_("tri-table")],E);function Re(e){return`${e.numeric?"numeric":""} ${e.extra?"extra":""}`}function Le(e,t){return e>0?h`<tr class="spacer" aria-hidden="true"><td colspan=${t} .style=${`height:${e*Jt}px`}></td></tr>`:p}function Ti(e,t){return e===null||t===null?e===t?0:e===null?1:-1:typeof e=="number"&&typeof t=="number"?e-t:String(e).localeCompare(String(t),void 0,{numeric:!0})}var Ni=Object.defineProperty,Di=Object.getOwnPropertyDescriptor,ie=(e,t,s,i)=>{for(var r=i>1?void 0:i?Di(t,s):t,n=e.length-1,a;n>=0;n--)(a=e[n])&&(r=(i?a(t,s,r):a(r))||r);return i&&r&&Ni(t,s,r),r};let ht=class extends ${constructor(){super(...arguments),this.value=null,this.absolute=!1,this.off=null}connectedCallback(){super.connectedCallback(),this.absolute||(this.off=N.everySecond(()=>this.requestUpdate()))}disconnectedCallback(){super.disconnectedCallback(),this.off?.()}render(){if(this.value===null||this.value===void 0||Number.isNaN(A(this.value)))return h`–`;const e=new Date(A(this.value)).toISOString();return h`<time datetime=${e} title=${e}>${this.absolute?is(this.value):rs(this.value)}</time>`}};ht.styles=w`
    time {
      font-variant-numeric: tabular-nums;
      white-space: nowrap;
    }
  `;ie([m({attribute:!1})],ht.prototype,"value",2);ie([m({type:Boolean})],ht.prototype,"absolute",2);ht=ie([_("tri-time")],ht);/**
 * @license
 * Copyright 2020 Google LLC
 * SPDX-License-Identifier: BSD-3-Clause
 */const Ye=Symbol.for(""),Mi=e=>{if(e?.r===Ye)return e?._$litStatic$},Ii=e=>({_$litStatic$:e,r:Ye}),Ue=new Map,Ri=e=>(t,...s)=>{const i=s.length;let r,n;const a=[],o=[];let l,d=0,f=!1;for(;d<i;){for(l=t[d];d<i&&(n=s[d],(r=Mi(n))!==void 0);)l+=r+t[++d],f=!0;d!==i&&o.push(n),a.push(l),d++}if(d===i&&a.push(t[i]),f){const c=a.join("$$lit$$");(t=Ue.get(c))===void 0&&(a.raw=a,Ue.set(c,t=a)),s=o}return e(t,...s)},Li=Ri(h);var Ui=Object.defineProperty,ji=Object.getOwnPropertyDescriptor,Xe=(e,t,s,i)=>{for(var r=i>1?void 0:i?ji(t,s):t,n=e.length-1,a;n>=0;n--)(a=e[n])&&(r=(i?a(t,s,r):a(r))||r);return i&&r&&Ui(t,s,r),r};let _t=class extends ${constructor(){super(...arguments),this.text="",this.leader=null,this.node=null,this.lost=!1,this.live=new X(this,["link"])}willUpdate(){const{state:e,leader:t,node:s,epoch:i}=v.link,r=t!==null&&this.leader!==null&&t!==this.leader,n=`${t} leads now, in epoch ${i}.`;e==="lost"&&!this.lost?this.text="Not live: the connection is lost.":e==="live"&&this.lost?this.text=`Live again, served by ${s}.${r?` ${n}`:""}`:r?this.text=n:e==="live"&&s!==this.node&&this.node!==null&&(this.text=`Served by ${s} now.`),this.lost=e==="lost",e==="live"&&(this.node=s,this.leader=t??this.leader)}render(){return h`<p class="only-read" role="status" aria-live="polite">${this.text}</p>`}};_t.styles=[S,w`
      :host {
        position: absolute;
      }
    `];Xe([k()],_t.prototype,"text",2);_t=Xe([_("tri-announcer")],_t);var zi=Object.defineProperty,Hi=Object.getOwnPropertyDescriptor,re=(e,t,s,i)=>{for(var r=i>1?void 0:i?Hi(t,s):t,n=e.length-1,a;n>=0;n--)(a=e[n])&&(r=(i?a(t,s,r):a(r))||r);return i&&r&&zi(t,s,r),r};const Fi=1500;let ut=class extends ${constructor(){super(...arguments),this.first=-1/0,this.pressed=e=>this.press(e)}connectedCallback(){super.connectedCallback(),window.addEventListener("keydown",this.pressed)}disconnectedCallback(){super.disconnectedCallback(),window.removeEventListener("keydown",this.pressed)}open(){this.dialog.open||this.dialog.showModal()}get pages(){return kt.filter(e=>e.nav&&(!e.needs||y.may(...e.needs)))}press(e){const t=e.composedPath()[0];if(e.ctrlKey||e.metaKey||e.altKey||e.defaultPrevented||t instanceof HTMLElement&&(t.matches("input, textarea, select")||t.isContentEditable))return;const s=performance.now();if(s-this.first<Fi){this.first=-1/0;const i=this.pages.find(r=>r.nav?.key===e.key);i&&(e.preventDefault(),this.dialog.close(),location.hash=`#/${i.path}`)}else if(e.key==="g")this.first=s;else if(e.key==="?")e.preventDefault(),this.open();else if(e.key==="/"){const i=Qe(document.body);i&&(e.preventDefault(),i.focus())}}render(){return h`<dialog aria-labelledby="keys-heading">
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
    `];re([Z("dialog")],ut.prototype,"dialog",2);re([k()],ut.prototype,"first",2);ut=re([_("tri-keys")],ut);function Qe(e){for(const t of e.querySelectorAll("*")){if(t instanceof HTMLInputElement&&t.type==="search")return t;const s=t.shadowRoot?Qe(t.shadowRoot):null;if(s)return s}return null}var Bi=Object.defineProperty,qi=Object.getOwnPropertyDescriptor,ne=(e,t,s,i)=>{for(var r=i>1?void 0:i?qi(t,s):t,n=e.length-1,a;n>=0;n--)(a=e[n])&&(r=(i?a(t,s,r):a(r))||r);return i&&r&&Bi(t,s,r),r};const Vi=["Plant","Frames","Cluster"];let pt=class extends ${constructor(){super(...arguments),this.pages=[],this.at=null,this.live=new X(this,["session","alerts"])}render(){const e=this.at?.nav?this.at.path:this.at?.under,t=v.list("alerts").filter(i=>i.state==="FIRING"&&!i.acknowledged&&i.silenced_by.length===0).length,s=y.state==="signed-in"?this.pages.filter(i=>i.nav&&(!i.needs||y.may(...i.needs))):[];return h`<nav aria-label="Pages">
      <a class="mark" href="#/"
        ><svg viewBox="0 0 32 32" aria-hidden="true">
          <path d="M16 7 7 23h18z" fill="none" stroke="var(--accent)" stroke-width="2.4" />
          <circle cx="16" cy="7" r="4.4" fill="var(--accent)" />
          <circle cx="7" cy="23" r="4.4" fill="var(--ink-3)" />
          <circle cx="25" cy="23" r="4.4" fill="var(--ink-3)" /></svg
        >Triarch</a
      >
      ${Vi.map(i=>{const r=s.filter(n=>n.nav?.group===i);return r.length===0?p:h`<div class="group">
          <h2 id=${i}>${i}</h2>
          <ul aria-labelledby=${i}>
            ${r.map(n=>h`<li>
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
    `];ne([m({attribute:!1})],pt.prototype,"pages",2);ne([m({attribute:!1})],pt.prototype,"at",2);pt=ne([_("tri-navigation")],pt);var Wi=Object.defineProperty,Ki=Object.getOwnPropertyDescriptor,ae=(e,t,s,i)=>{for(var r=i>1?void 0:i?Ki(t,s):t,n=e.length-1,a;n>=0;n--)(a=e[n])&&(r=(i?a(t,s,r):a(r))||r);return i&&r&&Wi(t,s,r),r};let ft=class extends ${constructor(){super(...arguments),this.busy=!1,this.refused="",this.live=new X(this,["session"])}async submit(e){e.preventDefault();const t=String(new FormData(e.target).get("token")??"").trim();if(!(!t||this.busy)){if(!/^[\x21-\x7e]+$/.test(t)){this.refused="A token has visible ASCII characters only: something else was pasted.";return}this.busy=!0,this.refused="";try{await y.signIn(t)}catch(s){this.refused=q(s)}finally{this.busy=!1}}}render(){if(y.state==="asking")return h`<tri-loading></tri-loading>`;if(y.state==="unreachable")return h`<tri-empty heading="No node answers">${y.refusal}. Asking again …</tri-empty>`;const e=this.refused||y.refusal;return h`<form class="card" @submit=${this.submit} aria-labelledby="heading">
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
    `];ae([k()],ft.prototype,"busy",2);ae([k()],ft.prototype,"refused",2);ft=ae([_("tri-sign-in")],ft);const Ze="triarch.theme",Ft=["auto","light","dark"];function oe(){const e=localStorage.getItem(Ze);return e==="light"||e==="dark"?e:"auto"}function le(){const e=oe();e==="auto"?delete document.documentElement.dataset.theme:document.documentElement.dataset.theme=e,window.dispatchEvent(new Event("triarch-theme"))}function Gi(){const e=Ft[(Ft.indexOf(oe())+1)%Ft.length]??"auto";return localStorage.setItem(Ze,e),le(),e}matchMedia("(prefers-color-scheme: dark)").addEventListener("change",()=>le());var Ji=Object.defineProperty,Yi=Object.getOwnPropertyDescriptor,ts=(e,t,s,i)=>{for(var r=i>1?void 0:i?Yi(t,s):t,n=e.length-1,a;n>=0;n--)(a=e[n])&&(r=(i?a(t,s,r):a(r))||r);return i&&r&&Ji(t,s,r),r};const Xi=3;let xt=class extends ${constructor(){super(...arguments),this.live=new X(this,["link","figures","session"]),this.shown=oe(),this.timer=null}connectedCallback(){super.connectedCallback(),this.timer=setInterval(()=>this.requestUpdate(),500)}disconnectedCallback(){super.disconnectedCallback(),this.timer!==null&&clearInterval(this.timer)}willUpdate(){this.dataset.index=String(v.link.index)}render(){const{link:e}=v,t=y.state==="signed-in"&&v.loaded,s=(performance.now()-e.figuresAt)/1e3,i=(e.staleness??0)+Math.max(0,s-1),r=e.state==="live"&&i<Xi&&e.leader!==null,n=r?"LIVE":e.state==="live"?e.leader===null?"NO LEADER":"STALE":"NOT LIVE";return h`<header aria-label="Status"><div class="line">
        ${t?h`<tri-badge state=${n} tone=${r?"ok":e.state==="live"?"warn":"bad"} data-word=${n}></tri-badge>
              <dl>
                <div><dt>served by</dt><dd data-fact="node">${e.node??"–"}</dd></div>
                <div><dt>leader</dt><dd data-fact="leader">${e.leader??"none"}</dd></div>
                <div><dt>epoch</dt><dd data-fact="epoch">${e.epoch??"–"}</dd></div>
                <div><dt>state</dt><dd data-fact="age">${r?i<1?"under 1 s old":`${R(i)} old`:e.state==="live"?`${R(i)} old`:`${R(s)} old`}</dd></div>
              </dl>`:p}
        <div class="right">
          ${y.who?h`<span class="who">${y.who.kind==="open"?"no sign-in needed":`${y.who.name||y.who.id} · ${y.who.role}`}</span>`:p}
          <button class="plain" title="Colours: ${this.shown}" aria-label="Colours: ${this.shown}. Change" data-do="theme" @click=${()=>this.shown=Gi()}>
            <svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true"><circle cx="8" cy="8" r="6.2" fill="none" stroke="currentColor" stroke-width="1.5" /><path d="M8 1.8a6.2 6.2 0 0 1 0 12.4z" fill="currentColor" /></svg>
          </button>
          ${t?h`<button class="plain" title="Keys (?)" aria-label="Keys" @click=${()=>this.dispatchEvent(new Event("help"))}>?</button>`:p}
          ${y.who&&y.who.kind!=="open"?h`<button class="plain" data-do="sign-out" @click=${()=>y.end()}>Sign out</button>`:p}
        </div>
      </div>
      ${t&&e.state!=="live"?h`<div class="bar bad" data-bar="lost">Not live: what is shown is ${R(s)} old. ${e.reason}. Connecting to another node …</div>`:t&&e.leader===null?h`<div class="bar warn" data-bar="leaderless">No leader is known: nothing can be changed until one is elected.</div>`:t&&!r?h`<div class="bar warn" data-bar="stale">${e.node} is behind: its state is ${R(i)} old.</div>`:p}
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
    `];ts([k()],xt.prototype,"shown",2);xt=ts([_("tri-status")],xt);var Qi=Object.defineProperty,Zi=Object.getOwnPropertyDescriptor,gt=(e,t,s,i)=>{for(var r=i>1?void 0:i?Zi(t,s):t,n=e.length-1,a;n>=0;n--)(a=e[n])&&(r=(i?a(t,s,r):a(r))||r);return i&&r&&Qi(t,s,r),r};function tr(){requestIdleCallback(()=>{for(const e of kt)e.load().catch(()=>{})})}let V=class extends ${constructor(){super(...arguments),this.at=Mt(),this.failed=null,this.ready=new Set,this.live=new X(this,["session","link"]),this.moved=()=>this.move(),this.kept=()=>{this.at=Mt()}}connectedCallback(){super.connectedCallback(),window.addEventListener("hashchange",this.moved),window.addEventListener(qt,this.kept),this.load().then(tr)}disconnectedCallback(){super.disconnectedCallback(),window.removeEventListener("hashchange",this.moved),window.removeEventListener(qt,this.kept)}move(){const e=this.at.page;this.at=Mt(),this.load(),e!==this.at.page&&(window.scrollTo(0,0),this.updateComplete.then(()=>this.main?.focus({preventScroll:!0})))}async load(){const e=this.at.page;if(document.title=`${e?.title??"Not found"} · Triarch`,this.failed=null,!(!e||this.ready.has(e.tag))){try{await e.load(),this.ready.add(e.tag)}catch(t){this.failed=new Error(`The page could not be loaded (${t instanceof Error?t.message:t}). Reload.`)}this.requestUpdate()}}page(){const{page:e,params:t,query:s}=this.at;if(!e)return h`<tri-empty heading="There is no such page"><a href="#/">Overview</a></tri-empty>`;if(this.failed)return h`<tri-error .error=${this.failed} .retry=${()=>location.reload()}></tri-error>`;const i=e.needs?y.denied(...e.needs):"";if(i)return h`<tri-empty heading="Not for your role">${i}</tri-empty>`;if(!this.ready.has(e.tag)||!v.loaded)return h`<tri-loading></tri-loading>`;const r=Ii(e.tag);return Li`<${r} .params=${t} .query=${s}></${r}>`}render(){const e=y.state==="signed-in",t=e&&v.loaded&&v.link.state!=="live";return h`<nav aria-label="Shortcut">
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
    `];gt([k()],V.prototype,"at",2);gt([k()],V.prototype,"failed",2);gt([Z("main")],V.prototype,"main",2);gt([Z("tri-keys")],V.prototype,"keys",2);V=gt([_("tri-app")],V);le();N.set();y.begin();export{p as A,or as B,fr as C,Vs as D,B as E,ir as F,rr as G,er as H,dr as I,_i as J,Pt as K,X as L,Z as M,y as N,A as O,P,fs as Q,mr as R,ds as S,It as T,cr as U,$ as a,h as b,_ as c,R as d,v as e,Nt as f,ke as g,sr as h,w as i,N as j,T as k,ai as l,is as m,m as n,oi as o,ar as p,Ke as q,k as r,S as s,nr as t,yr as u,gi as v,st as w,gr as x,vr as y,lr as z};
