import{s as r}from"../chunks/D8HIMLzb.js";import{A as t}from"../chunks/CpoVV62w.js";export{t as load_css,r as start};
