import{s as r}from"../chunks/_SpkIHrd.js";import{B as t}from"../chunks/CLPFGdfn.js";export{t as load_css,r as start};
