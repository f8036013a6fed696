import{s as r}from"../chunks/DASeWy1L.js";import{A as t}from"../chunks/Cx84U8DU.js";export{t as load_css,r as start};
