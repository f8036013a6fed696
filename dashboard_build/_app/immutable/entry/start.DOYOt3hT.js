import{s as r}from"../chunks/CL7t9mx7.js";import{A as t}from"../chunks/BYchcPfN.js";export{t as load_css,r as start};
