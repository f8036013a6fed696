import{s as r}from"../chunks/B3Jja9EI.js";import{B as t}from"../chunks/CzlNwwTH.js";export{t as load_css,r as start};
