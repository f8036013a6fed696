import{_ as m}from"../chunks/qkmKMPb2.js";export{m as component};
