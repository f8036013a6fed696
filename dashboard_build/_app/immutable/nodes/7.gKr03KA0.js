import{i as H}from"../chunks/B9cLKryE.js";import{b as ue,p as pe,w as $e,H as me,l as M,t as T,e as x,g as t,a as fe,u as _,s as l,i as p,f as S,h as O,o as $,c as ge,r as y,N as he,x as ve}from"../chunks/BtMDSGnP.js";import{e as R,t as h,s as K,b as be}from"../chunks/DzN2s824.js";import{p as _e}from"../chunks/hp_mxZMi.js";import{s as z}from"../chunks/PSmO94fI.js";import{c as X}from"../chunks/BrEpgOkB.js";import{C as ye}from"../chunks/CD6pbDZS.js";import{C as W}from"../chunks/naTj6aRb.js";import{P as ke}from"../chunks/XPO4Ghn1.js";function Ee(e){const a=e.filter(r=>r.required),o=a.length?a:e.filter(r=>!we.includes(r.type)).slice(0,3);return Object.fromEntries(o.map(r=>[r.name,Ne(r)]))}const we=["relation","file"];function Ne(e){const a=typeof e.min=="number"?e.min:0,o=typeof e.max=="number"?e.max:1/0;switch(e.type){case"integer":case"float":return Math.max(a,Math.min(1,o));case"boolean":return!0;case"datetime":return"2026-12-24T18:00:00Z";case"json":return["example"];case"relation":return e.collection==="users"?"usr_…":"rec_…";case"file":return"fil_…";default:return`example ${e.name}`.padEnd(a,"x").slice(0,o)}}function Oe(e,a,o,r){const n=Ee(r),s=Object.fromEntries(Object.entries(n).slice(0,1));return je[e](a,o,n,s)}const Y=e=>`'${e.replaceAll("'","'\\''")}'`;function Te(e,a,o,r){const n=`${e}/api/${a}`,s='-H "Authorization: Bearer $TOKEN"',c="-H 'Content-Type: application/json'";return[{title:"list",code:`curl -s '${n}?limit=20&count=true' ${s}`},{title:"get",code:`curl -s ${n}/$ID ${s}`},{title:"create",code:`curl -s ${n} ${s} ${c} \\
  -d ${Y(JSON.stringify(o))}`},{title:"change",code:`curl -s -X PUT ${n}/$ID ${s} ${c} \\
  -d ${Y(JSON.stringify(r))}`},{title:"delete",code:`curl -s -X DELETE ${n}/$ID ${s}`}]}function xe(e,a,o,r){return[{title:"list",code:`// npm install @bakend/client
import { BakendClient } from "@bakend/client";

const client = new BakendClient("${e}");
await client.auth.login({ email: "you@example.com", password: "…" });

const ${a} = client.collection("${a}");
const found = await ${a}.list();`},{title:"get",code:`const record = await ${a}.get(id);`},{title:"create",code:`const made = await ${a}.create(${JSON.stringify(o,null,2)});`},{title:"change",code:`await ${a}.update(id, ${JSON.stringify(r)});`},{title:"delete",code:`await ${a}.delete(id);`},{title:"live",code:`const socket = new WebSocket("${e.replace(/^http/,"ws")}/api/realtime?token=" + token);
socket.onopen = () =>
  socket.send(JSON.stringify({ action: "subscribe", channel: "${a}.*" }));
socket.onmessage = ({ data }) => console.log(JSON.parse(data));`}]}function Se(e,a,o,r){return[{title:"list",code:`# only what Python brings with it
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
found = ask("GET", "/${a}?limit=20&count=true")`},{title:"get",code:`record = ask("GET", f"/${a}/{id}")`},{title:"create",code:`made = ask("POST", "/${a}", ${C(o)})`},{title:"change",code:`ask("PUT", f"/${a}/{id}", ${C(r)})`},{title:"delete",code:`ask("DELETE", f"/${a}/{id}")`}]}function C(e){return e===null?"None":typeof e=="boolean"?e?"True":"False":Array.isArray(e)?`[${e.map(C).join(", ")}]`:typeof e=="object"?`{${Object.entries(e).map(([o,r])=>`${JSON.stringify(o)}: ${C(r)}`).join(", ")}}`:JSON.stringify(e)}const je={curl:Te,javascript:xe,python:Se};var qe=S('<button type="button"> </button>'),Pe=S('<section class="card padded stack" aria-labelledby="token-title"><h2 id="token-title"> </h2> <p class="quiet"> </p> <!></section>'),Ae=S('<section class="card padded stack"><div class="row wrap"><h2 class="grow"> </h2> <span class="badge"> </span></div> <!></section>'),Ke=S("<li><code> </code></li>"),Ce=S('<!> <section class="card padded stack" aria-labelledby="api-channel"><h2 id="api-channel"> </h2> <p class="quiet"> </p> <ul class="svelte-logqcd"><!> <li><code> </code></li></ul> <p class="small quiet"> </p></section>',1),Je=S('<div class="row wrap" role="group"></div> <!> <!>',1);function ze(e,a){pe(a,!0);const o=[["curl","curl"],["javascript","JavaScript"],["python","Python"]],r="bakend.api.language",n=localStorage.getItem(r);let s=$e(me(o.some(([j])=>j===n)&&n?n:"curl"));const c=_(()=>_e.params.name),B=_(()=>X.get(t(c))),Z=_(()=>Oe(t(s),location.origin,t(c),X.fields(t(c)))),Q={list:"read",get:"read",create:"create",change:"update",delete:"delete",live:"read"};function V(j){ve(s,j,!0),localStorage.setItem(r,j)}ke(e,{get title(){return t(c)},tabs:J=>{ye(J,{get name(){return t(c)}})},children:(J,Ie)=>{var G=Je(),A=M(G);R(A,21,()=>o,([i,m])=>i,(i,m)=>{var v=_(()=>he(t(m),2));let b=()=>t(v)[0],k=()=>t(v)[1];var f=qe();let E;var w=$(f,!0);T(()=>{E=be(f,1,"btn small",null,E,{primary:t(s)===b()}),K(f,"aria-pressed",t(s)===b()),p(w,k())}),ge("click",f,()=>V(b())),x(i,f)}),y(A);var L=l(A,2);{var ee=i=>{var m=Pe(),v=O(m),b=$(v,!0),k=l(v,2),f=$(k,!0),E=l(k,2);{let w=_(()=>`TOKEN='${z.token??""}'`),N=_(()=>`TOKEN='${z.token?.slice(0,16)??""}…'`);W(E,{get text(){return t(w)},get shown(){return t(N)},label:"TOKEN",language:"shell"})}y(m),T((w,N)=>{p(b,w),p(f,N)},[()=>h("api.token"),()=>h("api.tokenText")]),x(i,m)};H(L,i=>{t(s)==="curl"&&i(ee)})}var te=l(L,2);{var ae=i=>{var m=Ce(),v=M(m);R(v,17,()=>t(Z),g=>g.title,(g,d)=>{var u=Ae(),q=O(u),P=O(q),ne=$(P,!0),le=l(P,2),ce=$(le,!0);y(q);var de=l(q,2);{let I=_(()=>h(`api.${t(d).title}`)),D=_(()=>t(s)==="curl"?"shell":t(s));W(de,{get text(){return t(d).code},get label(){return t(I)},get language(){return t(D)}})}y(u),T((I,D)=>{K(u,"aria-labelledby",`api-${t(d).title??""}`),K(P,"id",`api-${t(d).title??""}`),p(ne,I),p(ce,D)},[()=>h(`api.${t(d).title}`),()=>h(`rule.${t(B).definition.permissions?.[Q[t(d).title]]??"public"}`)]),x(g,u)});var b=l(v,2),k=O(b),f=$(k,!0),E=l(k,2),w=$(E,!0),N=l(E,2),U=O(N);R(U,16,()=>["created","updated","deleted"],g=>g,(g,d)=>{var u=Ke(),q=O(u),P=$(q);y(u),T(()=>p(P,`${t(c)??""}.${d??""}`)),x(g,u)});var F=l(U,2),re=O(F),oe=$(re);y(F),y(N);var se=l(N,2),ie=$(se,!0);y(b),T((g,d,u)=>{p(f,g),p(w,d),p(oe,`${t(c)??""}.*`),p(ie,u)},[()=>h("api.channel"),()=>h("api.channelText"),()=>h("api.audience")]),x(i,m)};H(te,i=>{t(B)?.definition&&i(ae)})}T(i=>K(A,"aria-label",i),[()=>h("api.language")]),x(J,G)},$$slots:{tabs:!0,default:!0}}),fe()}ue(["click"]);export{ze as component};
