import{_ as m}from"../chunks/DJUR-p2q.js";export{m as component};
