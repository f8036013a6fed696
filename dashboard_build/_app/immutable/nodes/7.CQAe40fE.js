import{i as F}from"../chunks/ByMPJdwW.js";import{C as ue,p as pe,l as $e,aj as me,f as M,t as N,b as x,g as a,a as fe,u as O,s as l,e as p,i as j,k as T,o as $,D as he,r as _,ah as ge,j as ve}from"../chunks/DX5xxAGp.js";import{e as D,t as g,s as C,c as be}from"../chunks/DIcblw0i.js";import{p as _e}from"../chunks/DyH2_QSY.js";import{s as z}from"../chunks/DSpcr_2m.js";import{c as H}from"../chunks/Cwy3jFxz.js";import{C as ye}from"../chunks/BcG13jx0.js";import{C as X}from"../chunks/CeUOPkG_.js";import{P as ke}from"../chunks/DeucQi3n.js";function Ee(e){const t=e.filter(r=>r.required),o=t.length?t:e.filter(r=>!we.includes(r.type)).slice(0,3);return Object.fromEntries(o.map(r=>[r.name,Oe(r)]))}const we=["relation","file"];function Oe(e){const t=typeof e.min=="number"?e.min:0,o=typeof e.max=="number"?e.max:1/0;switch(e.type){case"integer":case"float":return Math.max(t,Math.min(1,o));case"boolean":return!0;case"datetime":return"2026-12-24T18:00:00Z";case"json":return["example"];case"relation":return e.collection==="users"?"usr_…":"rec_…";case"file":return"fil_…";default:return`example ${e.name}`.padEnd(t,"x").slice(0,o)}}function Te(e,t,o,r){const n=Ee(r),s=Object.fromEntries(Object.entries(n).slice(0,1));return Se[e](t,o,n,s)}const W=e=>`'${e.replaceAll("'","'\\''")}'`;function Ne(e,t,o,r){const n=`${e}/api/${t}`,s='-H "Authorization: Bearer $TOKEN"',c="-H 'Content-Type: application/json'";return[{title:"list",code:`curl -s '${n}?limit=20&count=true' ${s}`},{title:"get",code:`curl -s ${n}/$ID ${s}`},{title:"create",code:`curl -s ${n} ${s} ${c} \\
  -d ${W(JSON.stringify(o))}`},{title:"change",code:`curl -s -X PUT ${n}/$ID ${s} ${c} \\
  -d ${W(JSON.stringify(r))}`},{title:"delete",code:`curl -s -X DELETE ${n}/$ID ${s}`}]}function xe(e,t,o,r){return[{title:"list",code:`// npm install @bakend/client
import { BakendClient } from "@bakend/client";

const client = new BakendClient("${e}");
await client.auth.login({ email: "you@example.com", password: "…" });

const ${t} = client.collection("${t}");
const found = await ${t}.list();`},{title:"get",code:`const record = await ${t}.get(id);`},{title:"create",code:`const made = await ${t}.create(${JSON.stringify(o,null,2)});`},{title:"change",code:`await ${t}.update(id, ${JSON.stringify(r)});`},{title:"delete",code:`await ${t}.delete(id);`},{title:"live",code:`const socket = new WebSocket("${e.replace(/^http/,"ws")}/api/realtime?token=" + token);
socket.onopen = () =>
  socket.send(JSON.stringify({ action: "subscribe", channel: "${t}.*" }));
socket.onmessage = ({ data }) => console.log(JSON.parse(data));`}]}function je(e,t,o,r){return[{title:"list",code:`# only what Python brings with it
import json
import urllib.request

API = "${e}/api"
TOKEN = ""


def ask(method, path, body=None):
    request = urllib.request.Request(
        API + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    if TOKEN:
        request.add_header("Authorization", f"Bearer {TOKEN}")
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read() or "null")


TOKEN = ask("POST", "/auth/login", {"email": "you@example.com", "password": "…"})["token"]
found = ask("GET", "/${t}?limit=20&count=true")`},{title:"get",code:`record = ask("GET", f"/${t}/{id}")`},{title:"create",code:`made = ask("POST", "/${t}", ${K(o)})`},{title:"change",code:`ask("PUT", f"/${t}/{id}", ${K(r)})`},{title:"delete",code:`ask("DELETE", f"/${t}/{id}")`}]}function K(e){return e===null?"None":typeof e=="boolean"?e?"True":"False":Array.isArray(e)?`[${e.map(K).join(", ")}]`:typeof e=="object"?`{${Object.entries(e).map(([o,r])=>`${JSON.stringify(o)}: ${K(r)}`).join(", ")}}`:JSON.stringify(e)}const Se={curl:Ne,javascript:xe,python:je};var qe=j('<button type="button"> </button>'),Pe=j('<section class="card padded stack" aria-labelledby="token-title"><h2 id="token-title"> </h2> <p class="quiet"> </p> <!></section>'),Ae=j('<section class="card padded stack"><div class="row wrap"><h2 class="grow"> </h2> <span class="badge"> </span></div> <!></section>'),Ce=j("<li><code> </code></li>"),Ke=j('<!> <section class="card padded stack" aria-labelledby="api-channel"><h2 id="api-channel"> </h2> <p class="quiet"> </p> <ul class="svelte-logqcd"><!> <li><code> </code></li></ul> <p class="small quiet"> </p></section>',1),Je=j('<div class="row wrap" role="group"></div> <!> <!>',1);function He(e,t){pe(t,!0);const o=[["curl","curl"],["javascript","JavaScript"],["python","Python"]],r="bakend.api.language",n=localStorage.getItem(r);let s=$e(me(o.some(([S])=>S===n)&&n?n:"curl"));const c=O(()=>_e.params.name),R=O(()=>H.get(a(c))),Y=O(()=>Te(a(s),location.origin,a(c),H.fields(a(c)))),Z={list:"read",get:"read",create:"create",change:"update",delete:"delete",live:"read"};function Q(S){ve(s,S,!0),localStorage.setItem(r,S)}ke(e,{get title(){return a(c)},tabs:J=>{ye(J,{get name(){return a(c)}})},children:(J,Ie)=>{var B=Je(),A=M(B);D(A,21,()=>o,([i,m])=>i,(i,m)=>{var v=O(()=>ge(a(m),2));let b=()=>a(v)[0],y=()=>a(v)[1];var f=qe();let k;var E=$(f,!0);N(()=>{k=be(f,1,"btn small",null,k,{primary:a(s)===b()}),C(f,"aria-pressed",a(s)===b()),p(E,y())}),he("click",f,()=>Q(b())),x(i,f)}),_(A);var G=l(A,2);{var V=i=>{var m=Pe(),v=T(m),b=$(v,!0),y=l(v,2),f=$(y,!0),k=l(y,2);{let E=O(()=>`TOKEN='${z.token??""}'`),w=O(()=>`TOKEN='${z.token?.slice(0,16)??""}…'`);X(k,{get text(){return a(E)},get shown(){return a(w)},label:"TOKEN"})}_(m),N((E,w)=>{p(b,E),p(f,w)},[()=>g("api.token"),()=>g("api.tokenText")]),x(i,m)};F(G,i=>{a(s)==="curl"&&i(V)})}var ee=l(G,2);{var te=i=>{var m=Ke(),v=M(m);D(v,17,()=>a(Y),h=>h.title,(h,d)=>{var u=Ae(),q=T(u),P=T(q),ie=$(P,!0),ne=l(P,2),le=$(ne,!0);_(q);var ce=l(q,2);{let I=O(()=>g(`api.${a(d).title}`));X(ce,{get text(){return a(d).code},get label(){return a(I)}})}_(u),N((I,de)=>{C(u,"aria-labelledby",`api-${a(d).title??""}`),C(P,"id",`api-${a(d).title??""}`),p(ie,I),p(le,de)},[()=>g(`api.${a(d).title}`),()=>g(`rule.${a(R).definition.permissions?.[Z[a(d).title]]??"public"}`)]),x(h,u)});var b=l(v,2),y=T(b),f=$(y,!0),k=l(y,2),E=$(k,!0),w=l(k,2),L=T(w);D(L,16,()=>["created","updated","deleted"],h=>h,(h,d)=>{var u=Ce(),q=T(u),P=$(q);_(u),N(()=>p(P,`${a(c)??""}.${d??""}`)),x(h,u)});var U=l(L,2),ae=T(U),re=$(ae);_(U),_(w);var oe=l(w,2),se=$(oe,!0);_(b),N((h,d,u)=>{p(f,h),p(E,d),p(re,`${a(c)??""}.*`),p(se,u)},[()=>g("api.channel"),()=>g("api.channelText"),()=>g("api.audience")]),x(i,m)};F(ee,i=>{a(R)?.definition&&i(te)})}N(i=>C(A,"aria-label",i),[()=>g("api.language")]),x(J,B)},$$slots:{tabs:!0,default:!0}}),fe()}ue(["click"]);export{He as component};
