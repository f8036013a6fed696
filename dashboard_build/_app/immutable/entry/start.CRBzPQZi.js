import{s as r}from"../chunks/D-72iXbX.js";import{B as t}from"../chunks/PPHRAdzf.js";export{t as load_css,r as start};
