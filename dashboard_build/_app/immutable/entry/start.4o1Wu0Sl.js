import{s as r}from"../chunks/Des7DN5h.js";import{A as t}from"../chunks/BMsIBUsG.js";export{t as load_css,r as start};
