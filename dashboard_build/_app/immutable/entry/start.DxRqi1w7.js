import{s as r}from"../chunks/CwJuwm_S.js";import{B as t}from"../chunks/Bb267dAq.js";export{t as load_css,r as start};
