import{s as r}from"../chunks/D70G0lp_.js";import{A as t}from"../chunks/BPDt_ks0.js";export{t as load_css,r as start};
