import{_ as m}from"../chunks/DstS0pxa.js";export{m as component};
