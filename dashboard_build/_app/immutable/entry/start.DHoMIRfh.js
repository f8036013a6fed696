import{s as r}from"../chunks/qs6SnwEb.js";import{B as t}from"../chunks/CxducEpR.js";export{t as load_css,r as start};
