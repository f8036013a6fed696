import{s as r}from"../chunks/CfOsVlba.js";import{A as t}from"../chunks/CT3lqcXT.js";export{t as load_css,r as start};
