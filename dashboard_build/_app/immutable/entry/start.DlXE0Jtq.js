import{s as r}from"../chunks/BYR-ZOtG.js";import{A as t}from"../chunks/Df0R6HA4.js";export{t as load_css,r as start};
