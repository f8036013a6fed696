import{s as r}from"../chunks/DI_sZL6b.js";import{B as t}from"../chunks/BMfl6bYi.js";export{t as load_css,r as start};
