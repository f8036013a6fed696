import{s as r}from"../chunks/CKFPDoGf.js";import{A as t}from"../chunks/BG47D7df.js";export{t as load_css,r as start};
