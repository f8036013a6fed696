import{s as r}from"../chunks/CIfi-DS0.js";import{A as t}from"../chunks/mNrqp9uQ.js";export{t as load_css,r as start};
