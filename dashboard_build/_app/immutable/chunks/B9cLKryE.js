import{aB as k,aJ as O,aC as J,ag as L,ar as N,ap as V,aI as W,at as Z,K as g,al as I,J as B,ad as C,L as M,ah as U,aj as $,ae as F,ak as P,be as Q,z as X,a6 as tt,bf as et,bg as nt,C as Y,aP as z,bh as rt,bi as T,g as w,bj as b,U as q,bk as x,F as D,bl as st,bm as it,H as at,x as ot,bn as ft,aA as lt,bo as ct,bp as ut,bq as dt,br as ht,bs as pt,d as vt}from"./BtMDSGnP.js";const _t="modulepreload",mt=function(e,t){return new URL(e,t).href},j={},Et=function(t,r,n){let i=Promise.resolve();if(r&&r.length>0){let c=function(l){return Promise.all(l.map(h=>Promise.resolve(h).then(_=>({status:"fulfilled",value:_}),_=>({status:"rejected",reason:_}))))};const o=document.getElementsByTagName("link"),s=document.querySelector("meta[property=csp-nonce]"),f=s?.nonce||s?.getAttribute("nonce");i=c(r.map(l=>{if(l=mt(l,n),l in j)return;j[l]=!0;const h=l.endsWith(".css"),_=h?'[rel="stylesheet"]':"";if(n)for(let v=o.length-1;v>=0;v--){const p=o[v];if(p.href===l&&(!h||p.rel==="stylesheet"))return}else if(document.querySelector(`link[href="${l}"]${_}`))return;const d=document.createElement("link");if(d.rel=h?"stylesheet":_t,h||(d.as="script"),d.crossOrigin="",d.href=l,f&&d.setAttribute("nonce",f),document.head.appendChild(d),h)return new Promise((v,p)=>{d.addEventListener("load",v),d.addEventListener("error",()=>p(new Error(`Unable to preload CSS for ${l}`)))})}))}function a(o){const s=new Event("vite:preloadError",{cancelable:!0});if(s.payload=o,window.dispatchEvent(s),!s.defaultPrevented)throw o}return i.then(o=>{for(const s of o||[])s.status==="rejected"&&a(s.reason);return t().catch(a)})},bt="5";typeof window<"u"&&((window.__svelte??={}).v??=new Set).add(bt);class K{anchor;#e=new Map;#n=new Map;#t=new Map;#r=new Set;#s=!0;constructor(t,r=!0){this.anchor=t,this.#s=r}#i=t=>{if(this.#e.has(t)){var r=this.#e.get(t),n=this.#n.get(r);if(n)k(n),this.#r.delete(r);else{var i=this.#t.get(r);i&&(k(i.effect),this.#n.set(r,i.effect),this.#t.delete(r),i.fragment.lastChild.remove(),this.anchor.before(i.fragment),n=i.effect)}for(const[a,o]of this.#e){if(this.#e.delete(a),a===t)break;const s=this.#t.get(o);s&&(O(s.effect),this.#t.delete(o))}for(const[a,o]of this.#n){if(a===r||this.#r.has(a))continue;const s=()=>{if(Array.from(this.#e.values()).includes(a)){var c=document.createDocumentFragment();W(o,c),c.append(L()),this.#t.set(a,{effect:o,fragment:c})}else O(o);this.#r.delete(a),this.#n.delete(a)};this.#s||!n?(this.#r.add(a),J(o,s,!1)):s()}}};#a=t=>{this.#e.delete(t);const r=Array.from(this.#e.values());for(const[n,i]of this.#t)r.includes(n)||(O(i.effect),this.#t.delete(n))};ensure(t,r){var n=V,i=Z();if(r&&!this.#n.has(t)&&!this.#t.has(t))if(i){var a=document.createDocumentFragment(),o=L();a.append(o),this.#t.set(t,{effect:N(()=>r(o)),fragment:a})}else this.#n.set(t,N(()=>r(this.anchor)));if(this.#e.set(n,t),i){for(const[s,f]of this.#n)s===t?n.unskip_effect(f):n.skip_effect(f);for(const[s,f]of this.#t)s===t?n.unskip_effect(f.effect):n.skip_effect(f.effect);n.oncommit(this.#i),n.ondiscard(this.#a)}else g&&(this.anchor=I),this.#i(n)}}function Ot(e,t,r=!1){var n;g&&(n=I,M());var i=new K(e),a=r?C:0;function o(s,f){if(g){var c=U(n);if(s!==parseInt(c.substring(1))){var l=$();F(l),i.anchor=l,P(!1),i.ensure(s,f),P(!0);return}}i.ensure(s,f)}B(()=>{var s=!1;t((f,c=0)=>{s=!0,o(c,f)}),s||o(-1,null)},a)}function Rt(e,t,r){var n;g&&(n=I,M());var i=new K(e);B(()=>{var a=t()??null;if(g){var o=U(n),s=o===Q,f=a!==null;if(s!==f){var c=$();F(c),i.anchor=c,P(!1),i.ensure(a,a&&(l=>r(l,a))),P(!0);return}}i.ensure(a,a&&(l=>r(l,a)))},C)}function R(e,t){return e===t||e?.[T]===t}function xt(e=et(),t,r,n){var i=X.r,a=z;return tt(()=>{var o,s;return nt(()=>{o=s,s=[],Y(()=>{R(r(...s),e)||(t(e,...s),o&&R(r(...o),e)&&t(null,...o))})}),()=>{let f=a;for(;f!==i&&f.parent!==null&&f.parent.f&rt;)f=f.parent;const c=()=>{s&&R(r(...s),e)&&t(null,...s)},l=f.teardown;f.teardown=()=>{c(),l?.()}}}),e}let S=!1;function gt(e){var t=S;try{return S=!1,[e(),S]}finally{S=t}}const yt={get(e,t){if(!e.exclude.has(t))return e.props[t]},set(e,t){return!1},getOwnPropertyDescriptor(e,t){if(!e.exclude.has(t)&&t in e.props)return{enumerable:!0,configurable:!0,value:e.props[t]}},has(e,t){return e.exclude.has(t)?!1:t in e.props},ownKeys(e){return Reflect.ownKeys(e.props).filter(t=>!e.exclude.has(t))}};function It(e,t,r){return new Proxy({props:e,exclude:t},yt)}const wt={get(e,t){let r=e.props.length;for(;r--;){let n=e.props[r];if(b(n)&&(n=n()),typeof n=="object"&&n!==null&&t in n)return n[t]}},set(e,t,r){let n=e.props.length;for(;n--;){let i=e.props[n];b(i)&&(i=i());const a=x(i,t);if(a&&a.set)return a.set(r),!0}return!1},getOwnPropertyDescriptor(e,t){let r=e.props.length;for(;r--;){let n=e.props[r];if(b(n)&&(n=n()),typeof n=="object"&&n!==null&&t in n){const i=x(n,t);return i&&!i.configurable&&(i.configurable=!0),i}}},has(e,t){if(t===T||t===q)return!1;for(let r of e.props)if(b(r)&&(r=r()),r!=null&&t in r)return!0;return!1},ownKeys(e){const t=[];for(let r of e.props)if(b(r)&&(r=r()),!!r){for(const n in r)t.includes(n)||t.push(n);for(const n of Object.getOwnPropertySymbols(r))t.includes(n)||t.push(n)}return t}};function Tt(...e){return new Proxy({props:e},wt)}function At(e,t,r,n){var i=!ut||(r&dt)!==0,a=(r&ht)!==0,o=(r&ct)!==0,s=n,f=!0,c=void 0,l=()=>o&&i?(c??=D(n),w(c)):(f&&(f=!1,s=o?Y(n):n),s);let h;if(a){var _=T in e||q in e;h=x(e,t)?.set??(_&&t in e?u=>e[t]=u:void 0)}var d,v=!1;a?[d,v]=gt(()=>e[t]):d=e[t],d===void 0&&n!==void 0&&(d=l(),h&&(i&&st(),h(d)));var p;if(i?p=()=>{var u=e[t];return u===void 0?l():(f=!0,u)}:p=()=>{var u=e[t];return u!==void 0&&(s=void 0),u===void 0?s:u},i&&(r&it)===0)return p;if(h){var H=e.$$legacy;return(function(u,y){return arguments.length>0?((!i||!y||H||v)&&h(y?p():u),u):p()})}var E=!1,m=((r&pt)!==0?D:vt)(()=>(E=!1,p()));a&&w(m);var G=z;return(function(u,y){if(arguments.length>0){const A=y?w(m):i&&a?at(u):u;return ot(m,A),E=!0,s!==void 0&&(s=A),u}return ft&&E||(G.f&lt)!==0?m.v:w(m)})}const St=({status:e,message:t})=>`<!doctype html>
<html lang="en">
	<head>
		<meta charset="utf-8" />
		<title>`+t+`</title>

		<style>
			body {
				--bg: white;
				--fg: #222;
				--divider: #ccc;
				background: var(--bg);
				color: var(--fg);
				font-family:
					system-ui,
					-apple-system,
					BlinkMacSystemFont,
					'Segoe UI',
					Roboto,
					Oxygen,
					Ubuntu,
					Cantarell,
					'Open Sans',
					'Helvetica Neue',
					sans-serif;
				display: flex;
				align-items: center;
				justify-content: center;
				height: 100vh;
				margin: 0;
			}

			.error {
				display: flex;
				align-items: center;
				max-width: 32rem;
				margin: 0 1rem;
			}

			.status {
				font-weight: 200;
				font-size: 3rem;
				line-height: 1;
				position: relative;
				top: -0.05rem;
			}

			.message {
				border-left: 1px solid var(--divider);
				padding: 0 0 0 1rem;
				margin: 0 0 0 1rem;
				min-height: 2.5rem;
				display: flex;
				align-items: center;
			}

			.message h1 {
				font-weight: 400;
				font-size: 1em;
				margin: 0;
			}

			@media (prefers-color-scheme: dark) {
				body {
					--bg: #222;
					--fg: #ddd;
					--divider: #666;
				}
			}
		</style>
	</head>
	<body>
		<div class="error">
			<span class="status">`+e+`</span>
			<div class="message">
				<h1>`+t+`</h1>
			</div>
		</div>
	</body>
</html>
`,kt=Object.freeze(Object.defineProperty({__proto__:null,default:St},Symbol.toStringTag,{value:"Module"}));export{K as B,Et as _,xt as b,Rt as c,kt as e,Ot as i,At as p,It as r,Tt as s};
