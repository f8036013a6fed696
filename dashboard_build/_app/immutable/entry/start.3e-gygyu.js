import{s as r}from"../chunks/D3sCKHco.js";import{A as t}from"../chunks/DsVLXLOg.js";export{t as load_css,r as start};
